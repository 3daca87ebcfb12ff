"""From the customer's own words to a slot's value: read by rule, checked, and refused with a reason.

What understanding made of the words is not looked at; the words are, where they stand in the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from llm_banking.dialogue.commands import Said
from llm_banking.dialogue.errors import FlowFaultError
from llm_banking.dialogue.flow_files import SlotSpec
from llm_banking.dialogue.holdings import Holdings
from llm_banking.dialogue.loan_terms import months_choice, months_of
from llm_banking.dialogue.said_of import option_in
from llm_banking.dialogue.tracker import Choice, Filled
from llm_banking.kit.money import Money
from llm_banking.nlu.slots import normalise_amount, normalise_date

MAX_QUOTED_CHARS = 40
MAX_NOTE_CHARS = 80
_SAID_AS = {"card": ("card",), "charge": ("charge",), "schedule": ("schedule",)}
_NONE_SUCH = {
    "card": "You have no such card that I can use for this.",
    "charge": "I find no such charge among your latest ones.",
    "schedule": "I find no such planned payment of yours.",
}


@dataclass(frozen=True, slots=True)
class Got:
    """A value."""

    choice: Choice


@dataclass(frozen=True, slots=True)
class Which:
    """Several values, or one that is not sure: the customer says which."""

    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """No value, and why."""

    reason: str


Value = Got | Which | Refused


def check_span(message: str, said: Said) -> None:
    """Raise FlowFaultError unless the words stand in this message at the place that is named."""
    if not 0 <= said.start < said.end <= len(message) or message[said.start : said.end] != said.text:
        raise FlowFaultError("A value was proposed that does not stand in the message.")


def filled(said: Said, choice: Choice, turn: int) -> Filled:
    """A slot's value with the place where it was said."""
    return Filled(
        kind=choice.kind,
        value=choice.value,
        label=choice.label,
        text=said.text,
        start=said.start,
        end=said.end,
        turn=turn,
    )


def value_of(said: Said, spec: SlotSpec, holdings: Holdings, offered: Sequence[Choice], today: date) -> Value:
    """The value of words for a slot. `offered` are the choices that the very last message gave for it.

    Raises FlowFaultError where the words are of a kind that no slot of that type takes.
    """
    if said.kind in ("later", "today") and spec.type != "date":
        return Refused("I can do this now only, not on another day and not again and again. Nothing is planned.")
    if said.option is not None:
        if not 0 <= said.option < len(offered):
            raise FlowFaultError("A choice was taken that was not offered.")
        return Got(offered[said.option])
    if spec.type == "money":
        return _money(said, holdings)
    if spec.type == "date":
        day = normalise_date(said.text, today)
        return Got(Choice(kind="date", value=day, label=day)) if day else Refused("I could not read the day.")
    if spec.type in ("text", "option", "months"):
        return _worded(said, spec)
    return _named(said, spec, holdings)


def _worded(said: Said, spec: SlotSpec) -> Value:
    if spec.type == "text":
        text = " ".join(said.text.split())[:MAX_NOTE_CHARS]
        return Got(Choice(kind="text", value=text, label=text))
    if spec.type == "months":
        return _months(said)
    option = option_in(said.text, spec)
    if said.kind != "word" or option is None:
        raise FlowFaultError("Words were proposed as one of several options that are none.")
    return Got(Choice(kind="option", value=option, label=option.replace("_", " ")))


def _months(said: Said) -> Value:
    if said.kind != "term":
        raise FlowFaultError("Words were proposed as a length of time that are none.")
    months = months_of(said.text)
    if months is None:
        return Refused("I need one length of time, for example 24 months or 2 years.")
    return Got(months_choice(months))


def _money(said: Said, holdings: Holdings) -> Value:
    if said.kind == "quantity":
        return Refused("I need the amount as a number, so that nothing is left to guess.")
    if said.kind == "negative_amount":
        return Refused("The amount must be more than nothing.")
    read = normalise_amount(said.text) if said.kind == "amount" else None
    if read is None and (said.kind != "amount" or not any(one.isdigit() for one in said.text)):
        raise FlowFaultError("Words were proposed as an amount that are none.")
    if read is None:
        return Refused(
            "I could not read the amount for sure. Please write it in plain figures, for example 50 or 84.20."
        )
    amount = Money.parse(read["amount"], read["currency"])
    if amount.amount_minor < 1:
        return Refused("The amount must be more than nothing.")
    if amount.currency not in holdings.currencies:
        own = " and ".join(sorted(holdings.currencies)) or "another currency"
        return Refused(f"I can move money in the currency of your accounts only, which is {own}.")
    return Got(Choice.of_money(amount))


def _named(said: Said, spec: SlotSpec, holdings: Holdings) -> Value:
    if said.kind not in _SAID_AS.get(spec.type, ("name", "account", "bill", "phrase")):
        raise FlowFaultError(f"Words were proposed as a value of type '{spec.type}' that are none.")
    found = holdings.match(said.text, spec)
    if found.sure:
        return Got(found.choices[0])
    if found.choices:
        return Which(found.choices)
    if spec.type in _NONE_SUCH:
        return Refused(_NONE_SUCH[spec.type])
    quoted = " ".join(said.text.split())[:MAX_QUOTED_CHARS]
    if spec.type == "own_account":
        return Refused(f"You have no account “{quoted}” that I can use for this.")
    if "person" not in spec.takes:
        return Refused(
            f"“{quoted}” is not among the companies on your list of payees. A bill goes to one of them; money to a "
            "person is a transfer."
        )
    return Refused(f"“{quoted}” is not among your payees. Add a new payee first; I pay no one who is not on your list.")
