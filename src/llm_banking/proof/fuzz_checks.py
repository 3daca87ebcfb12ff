"""Two checks of our own, which Schemathesis loads beside its fourteen."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.specs.openapi._auth_retry import send_probe
from schemathesis.specs.openapi.object_authorization import apply_as
from schemathesis.wfc.escalation import escalating_provider


def refused_for_its_value_alone(_ctx: Any, response: Any, case: Any) -> None:
    """A request that follows the schema is never refused for its form.

    A few operations may answer 422 to such a request, because what they take cannot be told by a schema (fuzz.toml
    names them). They then say so of the value: `details.fields` belongs to what a schema can tell.
    """
    followed = case.meta is not None and case.meta.generation.mode.is_positive
    if followed and response.status_code == 422 and response.json()["error"]["details"].get("fields"):
        raise AssertionError("Refused for its form, although it has the form of the schema.")


def hidden_from_the_neighbour(ctx: Any, response: Any, case: Any) -> None:
    """What an address with an id in it gives to one customer, it gives to no other.

    `object_level_authorization` means the same and compares whole bodies; ours carry the id and the time of their
    request, so no two are ever equal, and it would never speak.
    """
    provider = escalating_provider(case.operation.schema)
    owner = case.auth_identity
    if provider is None or owner not in provider.peers or case.method != "GET" or response.status_code != 200:
        return
    ids = tuple(str(value) for value in (case.path_parameters or {}).values())
    for peer in provider.peers if ids else ():
        if peer != owner and provider.claim_probe(("hidden", case.operation.label, *ids, peer)):
            answer = send_probe(ctx, case, apply_as(case, provider.provider_for(peer), peer))
            if answer.status_code != 404:
                raise AssertionError(f"The neighbour was answered {answer.status_code}, and not 404.")


schemathesis.check(refused_for_its_value_alone)
schemathesis.check(hidden_from_the_neighbour)
