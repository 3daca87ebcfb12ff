"""What a flow can end in. From filled slots to a draft for the gate; nothing here moves or decides anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from llm_banking.banking.disputes import DisputeReason
from llm_banking.dialogue.errors import FlowFaultError
from llm_banking.dialogue.planning import wish_of
from llm_banking.dialogue.tracker import Filled, ValueKind
from llm_banking.operations.drafts import (
    BillPayment,
    CancelSchedule,
    CardDraft,
    DisputeDraft,
    Draft,
    Kind,
    LoanDraft,
    OwnTransfer,
    PayeeTransfer,
)
from llm_banking.operations.when import NOW, Wish

Slots = Mapping[str, Filled]


@dataclass(frozen=True, slots=True)
class Action:
    """The end of a flow: the slots that it cannot do without, and how they make a draft."""

    needs: tuple[str, ...]
    draft: Callable[[Slots], Draft]


def _value(slots: Slots, name: str, *kinds: ValueKind) -> Filled:
    found = slots.get(name)
    if found is None or found.kind not in kinds:
        raise FlowFaultError(f"The slot '{name}' is not {' or '.join(kinds)} at the end of a flow.")
    return found


def _account(slots: Slots, name: str) -> UUID:
    return UUID(_value(slots, name, "own_account").value)


def _when(slots: Slots) -> Wish:
    return wish_of(_value(slots, "when", "when")) if "when" in slots else NOW


def _own_transfer(slots: Slots) -> Draft:
    amount = _value(slots, "amount", "money").as_money()
    return OwnTransfer(_account(slots, "source"), _account(slots, "destination"), amount, _when(slots))


def _payee_transfer(slots: Slots) -> Draft:
    payee = UUID(_value(slots, "destination", "person").value)
    note = _value(slots, "note", "text").value if "note" in slots else None
    return PayeeTransfer(
        _account(slots, "source"), payee, _value(slots, "amount", "money").as_money(), note, _when(slots)
    )


def _bill_payment(slots: Slots) -> Draft:
    payee = UUID(_value(slots, "destination", "biller").value)
    return BillPayment(_account(slots, "source"), payee, _value(slots, "amount", "money").as_money(), _when(slots))


def _card(slots: Slots, kind: Kind) -> Draft:
    return CardDraft(kind, UUID(_value(slots, "card", "card").value))


def _card_stop(slots: Slots) -> Draft:
    how = _value(slots, "how", "option").value
    return _card(slots, {"freeze": Kind.CARD_FREEZE, "block": Kind.CARD_BLOCK}[how])


def _card_limits(slots: Slots) -> Draft:
    card = UUID(_value(slots, "card", "card").value)
    return CardDraft(Kind.CARD_LIMITS, card, _value(slots, "limit", "money").as_money())


def _cancel_schedule(slots: Slots) -> Draft:
    return CancelSchedule(UUID(_value(slots, "schedule", "schedule").value))


def _dispute(slots: Slots) -> Draft:
    return DisputeDraft(
        UUID(_value(slots, "charge", "charge").value), DisputeReason(_value(slots, "reason", "option").value)
    )


def _loan(slots: Slots) -> Draft:
    return LoanDraft(_value(slots, "amount", "money").as_money(), int(_value(slots, "months", "months").value))


_NEEDS = ("destination", "amount", "source")
ACTIONS: Mapping[str, Action] = {
    "own_transfer": Action(_NEEDS, _own_transfer),
    "payee_transfer": Action(_NEEDS, _payee_transfer),
    "bill_payment": Action(_NEEDS, _bill_payment),
    "card_stop": Action(("card", "how"), _card_stop),
    "card_limits": Action(("card", "limit"), _card_limits),
    "cancel_schedule": Action(("schedule",), _cancel_schedule),
    "dispute": Action(("charge", "reason"), _dispute),
    "loan_application": Action(("amount", "months"), _loan),
    "card_unfreeze": Action(("card",), lambda slots: _card(slots, Kind.CARD_UNFREEZE)),
    "card_activate": Action(("card",), lambda slots: _card(slots, Kind.CARD_ACTIVATE)),
    "card_replace": Action(("card",), lambda slots: _card(slots, Kind.CARD_REPLACE)),
}
"""The closed set of ends, by the name that a flow gives."""
