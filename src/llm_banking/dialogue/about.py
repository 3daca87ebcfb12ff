"""Questions about the operation in work itself ("what's the fee?", "how long does it take?"), and their answers.

A question counts as one only where every word of it is about that; one that names anything else is left to knowledge.
Of what is frozen the answer is read from the frozen payload, before that from the rules by which it will be frozen.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from llm_banking.banking.fees import FeeSchedule
from llm_banking.dialogue.commands import Topic
from llm_banking.dialogue.flow_files import End, Flow
from llm_banking.dialogue.tracker import Frame
from llm_banking.kit.money import Money
from llm_banking.knowledge.facts import Fact
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.operations.drafts import Kind
from llm_banking.operations.payment import Payment
from llm_banking.operations.policy import Limits, OperationPolicy

_COMMON = word_set(
    "a actually and any anything are at be before bill but by can company does do don't doing else first for from get "
    "go going got has have he her him hey hmm hold how i if in into is isn't it it's its just know many me money much "
    "my no now of oh ok okay on once one or our out pay paying payment person please quick question really say sec "
    "second see send "
    "sending shall she should so sorry that that's the them then there there's they thing this to transfer "
    "transferring us wait want was we well what what's whats will with wondering would yes you your"
)
_KEYS: Mapping[Topic, frozenset[str]] = {
    "fee": word_set("charge charged charges charging cost costs expensive extra fee fees free price total"),
    "time": word_set(
        "arrive arrives come days fast hours immediate immediately instant instantly land long minutes quickly reach "
        "receive received same-day she soon speed take takes through today tomorrow tonight until when"
    ),
    "limit": word_set("limit limits maximum max most allowed up"),
    "so_far": word_set("account again asked ask correct did far repeat right said say whats where which who whom"),
}
_WORDS_OF = {topic: keys | _COMMON for topic, keys in _KEYS.items()}
_SIGNS: Mapping[Topic, re.Pattern[str]] = {
    "fee": re.compile(
        r"\bfees?\b|\bfree\b|\bcharge[sd]?\b|\bcharging\b|\b(?:how much|what|anything)\b.*\bcosts?\b"
        r"|\bcosts? (?:me|any(?:thing)?)\b|\bpay extra\b|\bextra cost|\bexpensive\b|\bin total\b|\bthe total\b"
    ),
    "time": re.compile(
        r"\bhow (?:long|fast|quickly|quick|soon)\b|\bwhen\b|\bhow many (?:days|hours|minutes)\b"
        r"|\b(?:is|be|it|arrive) (?:there )?(?:instant|immediate)(?:ly)?\b|\bbe there\b"
    ),
    "so_far": re.compile(
        r"\brepeat\b|\b(?:say|show) (?:that|it|me that) again\b|\bwhich account\b|\bso far\b|\bwhom\b|\bto who\b"
        r"|\bwho (?:is|was) (?:it|that|this|the money)\b|\bwhat did i\b|\bwhat (?:was|is) it\b"
        r"|\b(?:is|was) (?:that|it|this|all of that) (?:right|correct)\b"
        r"|\bwhere (?:does|is|will) (?:it|that|the money)\b|\bhow much (?:is|was) (?:it|that)\b"
    ),
    "limit": re.compile(r"\blimits?\b|\bmax(?:imum)?\b|\bthe most\b|\bat most\b"),
}
_QUESTION = re.compile(
    r"\?|\b(?:what|what's|whats|how|when|which|where|who|whom|is|are|was|do|does|did|will|would|can|could|any|repeat"
    r"|again|wondering)\b"
)
MAX_QUESTION_CHARS = 80


def topic_of(text: str) -> Topic | None:
    """What a short question asks of the operation in work; None where it asks nothing or names another matter."""
    plain = text.casefold().replace("\u2019", "'")
    if len(plain) > MAX_QUESTION_CHARS or not _QUESTION.search(plain):
        return None
    words = set(re.findall(r"[\w'-]+", plain))
    for topic, sign in _SIGNS.items():
        if sign.search(plain) and words <= _WORDS_OF[topic]:
            return topic
    return None


def moves_money(flow: Flow) -> bool:
    """Whether a flow ends in nothing but money moved at once."""
    ends = [step.action for step in flow.steps.values() if isinstance(step, End)]
    return {*ends} <= {kind.value for kind in _SENT}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the bank says about moving money: the gate's own rules, and the facts that its texts are made from."""

    policy: OperationPolicy
    fees: FeeSchedule
    facts: Mapping[str, Fact]
    currencies: Collection[str]
    """What the customer's accounts are kept in."""


def answer(topic: Topic, flow: Flow, frame: Frame, frozen: Payment | None, terms: Terms) -> str:
    """The answer to a question about an operation: `frozen` is what it froze, None where it has not come so far."""
    if topic == "so_far":
        return "" if frozen else _so_far(frame)
    kinds = [frozen.kind] if frozen else _kinds(flow, frame)
    if topic == "fee":
        return _of_frozen(frozen) if frozen else _fee(kinds, flow, frame, terms)
    if topic == "limit":
        return " ".join(
            _limit(limits) for currency, limits in terms.policy.limits.items() if currency in terms.currencies
        )
    bank, bill, transfer = (
        terms.facts[name].render() for name in ("bank_name", "bill_delivery_time", "standard_transfer_time")
    )
    if frozen and frozen.kind is Kind.PAYEE_TRANSFER and frozen.receiver.account_id:
        return f"The money is there as soon as you confirm: {frozen.receiver.name} is with {bank}, too."
    return " ".join(_SENT[kind].format(bank=bank, bill=bill, transfer=transfer) for kind in kinds)


def _so_far(frame: Frame) -> str:
    """What is told already; what is frozen is shown again by the flow itself."""
    told = [one.label for one in frame.slots.values()]
    return f"So far I have: {', '.join(told)}." if told else "You have told me nothing of it so far."


def _kinds(flow: Flow, frame: Frame) -> list[Kind]:
    """What the flow can still end in: where it is told where the money goes, that alone."""
    told = frame.slots.get("destination")
    if told is not None and told.kind in _KIND_OF:
        return [_KIND_OF[told.kind]]
    ends = {step.action for step in flow.steps.values() if isinstance(step, End)}
    return [kind for kind in _SENT if kind in ends]


def _of_frozen(frozen: Payment) -> str:
    if not frozen.fee_minor:
        return "There is no fee for this."
    return f"The fee for this is {frozen.fee.display()}, so that you pay {frozen.total.display()} in all."


def _fee(kinds: Sequence[Kind], flow: Flow, frame: Frame, terms: Terms) -> str:
    said = frame.slots.get("amount")
    if said is None and any(terms.fees.fees[kind].percent for kind in kinds):
        return "The fee is a share of the amount. I show it to you before you confirm."
    amounts = [Money(0, currency) for currency in terms.currencies] if said is None else [said.as_money()]
    fees = {terms.fees.fee(kind, amount) for kind in kinds for amount in amounts}
    if all(fee.amount_minor == 0 for fee in fees):
        return f"There is no fee for this {flow.title}."
    if len(fees) == 1:
        return f"The fee for this {flow.title} is {fees.pop().display()}."
    return "The fee depends on where the money goes. I show it to you before you confirm."


def _limit(limits: Limits) -> str:
    return f"You can send up to {limits.per_operation.display()} at once, and {limits.per_day.display()} in 24 hours."


_KIND_OF: Mapping[str, Kind] = {
    "own_account": Kind.OWN_TRANSFER,
    "person": Kind.PAYEE_TRANSFER,
    "biller": Kind.BILL_PAYMENT,
}
_SENT: Mapping[Kind, str] = {
    Kind.OWN_TRANSFER: "Between your own accounts the money is there as soon as you confirm.",
    Kind.PAYEE_TRANSFER: (
        "Money to somebody else leaves as soon as you confirm: within {bank} it is there right away, at another bank "
        "in {transfer}."
    ),
    Kind.BILL_PAYMENT: "A bill payment leaves as soon as you confirm and reaches the company within {bill}.",
}
