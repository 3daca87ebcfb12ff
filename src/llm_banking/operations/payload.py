"""What is frozen of an operation: one canonical document, from which the text shown and all that is done both follow.

Nothing else goes into either. A document that was changed in any way has another hash, or another text, or both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from llm_banking.operations.drafts import Kind


class Payload(Protocol):
    """A frozen operation of any kind."""

    @property
    def id(self) -> str:
        """The pending operation's."""

    @property
    def user_id(self) -> str:
        """Whose it is."""

    @property
    def kind(self) -> Kind:
        """What is done."""

    def document(self) -> dict[str, Any]:
        """As it is stored: text, whole numbers, null, and lists and objects of them."""

    def summary(self) -> str:
        """The text that the customer is shown, from the payload alone."""

    def told(self) -> str:
        """What the customer is told once it was approved and done, from the payload alone."""


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one JSON text of a document: sorted keys, no spaces, ASCII. Its numbers are whole."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def hash_of(document: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(document)).digest()
