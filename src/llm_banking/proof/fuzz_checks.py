"""One check of our own, which Schemathesis loads beside its fourteen."""

from __future__ import annotations

from typing import Any

import schemathesis


def refused_for_its_value_alone(_ctx: Any, response: Any, case: Any) -> None:
    """A request that follows the schema is never refused for its form.

    A few operations may answer 422 to such a request, because what they take cannot be told by a schema (fuzz.toml
    names them). They then say so of the value: `details.fields` belongs to what a schema can tell.
    """
    followed = case.meta is not None and case.meta.generation.mode.is_positive
    if followed and response.status_code == 422 and response.json()["error"]["details"].get("fields"):
        raise AssertionError("Refused for its form, although it has the form of the schema.")


schemathesis.check(refused_for_its_value_alone)
