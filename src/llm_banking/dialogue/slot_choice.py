"""Which slot of a flow words are for."""

from __future__ import annotations

from collections.abc import Mapping

from llm_banking.dialogue.commands import Said, SaidKind
from llm_banking.dialogue.flow_files import Flow, SlotSpec, SlotType
from llm_banking.dialogue.holdings import Holdings
from llm_banking.dialogue.said_of import WHOLE
from llm_banking.dialogue.tracker import Choice

_TYPES: Mapping[SaidKind, SlotType] = {
    "amount": "money",
    "negative_amount": "money",
    "quantity": "money",
    "later": "when",
    "today": "when",
    "note": "text",
    "word": "option",
    "term": "months",
    **{said: slot for slot, said in WHOLE.items()},
}
"""Kinds of words that are for slots of one type."""


def slot_for(
    flow: Flow, said: Said, slots: Mapping[str, Choice], holdings: Holdings, asked: SlotSpec | None = None
) -> SlotSpec | None:
    """The slot of a flow that words are for; None where it has none, or it cannot be told which of two."""
    if said.kind in _TYPES:
        return _of_type(flow, _TYPES[said.kind]) or (_of_type(flow, "date") if said.kind == "later" else None)
    where, source = _of_type(flow, "payee"), _of_type(flow, "own_account")
    if said.role == "source":
        return source
    if said.kind in ("name", "bill", "phrase") or said.role == "target":
        return where
    if asked is not None and asked in (where, source):
        return asked
    able = [one for one in (where, source) if one is not None and holdings.match(said.text, one).choices]
    unfilled = [one for one in able if one.name not in slots]
    if len(unfilled) == 1 or len(able) == 1:
        return (unfilled or able)[0]
    paid_out = where is not None and where.name in slots and slots[where.name].kind != "own_account"
    return source if paid_out and source in able else None


def _of_type(flow: Flow, wanted: SlotType) -> SlotSpec | None:
    return next((one for one in flow.slots.values() if one.type == wanted), None)
