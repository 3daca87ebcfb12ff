"""Several requests in one message: which of its clauses are requests of their own, in the order they are mentioned.

A message is cut where the evidence says so: what the model reads in the clauses on both sides, in the whole, and how
the clauses are worded and joined are weighed by a logistic regression whose weights the model's manifest carries. A
verb said once is carried over to what is coordinated with it ("pay the gas bill and the water bill").
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

from llm_banking.nlu.carrying import CARRIED, PAYING, Part, carried_over
from llm_banking.nlu.clauses import Clause, Joint, asks, opens_with_a_request
from llm_banking.nlu.payments import opens_payment, takes_back, where_more_may_follow
from llm_banking.nlu.slots import Slot
from llm_banking.nlu.taxonomy import BY_NAME

if TYPE_CHECKING:
    from llm_banking.nlu.reader import Candidate, Reading

    ReadPart = Callable[[int, int], Reading]
    """The reading of a message's characters from the first number up to, not including, the second."""

COURTESIES = frozenset({"greeting", "thanks", "goodbye"})
"""Beside a request these are no requests: they are answered by answering it."""
COMPLAINTS = frozenset(
    {
        "card_payment_fee_charged",
        "card_payment_not_recognised",
        "cash_withdrawal_not_recognised",
        "direct_debit_payment_not_recognised",
        "extra_charge_on_statement",
        "transaction_charged_twice",
        "wrong_amount_of_cash_received",
    }
)
"""To tell of one of these and to want the money back is one complaint."""

_BACK_REFERENCE = re.compile(r"\b(?:it|its|it['\u2019]s|them|they|those|these|he|she|him|her)\b", re.IGNORECASE)
_HELP_WANTED = re.compile(r"\b(?:what|which|how)\b|\bhelp\b.*\bwith (?!this|that|it\b)\w", re.IGNORECASE)
"""A cry for help is part of the request beside it, unless it asks what help there is or names another matter."""
_ADDED = (Joint.ALSO, Joint.LIST)
"""What so begins is a request even where the model does not know which: it is asked about."""
_SURE = 0.95
"""Confidence above this is not told apart: what a model learnt by heart it is surer of than what it will be told."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a message: `text` is the message's characters from `start` up to, not including, `end`.

    `slots` are those said within it; their offsets, too, are into the whole message.
    """

    text: str
    start: int
    end: int
    intent: str
    confidence: float
    in_scope: bool
    in_scope_score: float
    alternatives: tuple[Candidate, ...]
    options: tuple[str, ...]
    slots: tuple[Slot, ...]

    def as_dict(self) -> dict[str, Any]:
        """The documented JSON shape."""
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            **judged_json(self),
        }


def judged_json(one: Reading | Request) -> dict[str, Any]:
    """What the JSON of a reading and of one request of it have in common: intent, doubt, options and slots."""
    return {
        "intent": one.intent,
        "confidence": round(one.confidence, 6),
        "in_scope": one.in_scope,
        "in_scope_score": round(one.in_scope_score, 6),
        "alternatives": [
            {"intent": other.intent, "confidence": round(other.confidence, 6)} for other in one.alternatives
        ],
        "options": list(one.options),
        "slots": [asdict(slot) for slot in one.slots],
    }


@dataclass(frozen=True, slots=True)
class SplitPolicy:
    """What decides a cut, learnt with the model and carried by its manifest.

    `weights` are those of a logistic regression over the features of `Boundary`; a message is cut where its
    probability is at least `minimum`. Clauses read with less than `clause_confidence` are no requests of their own.
    """

    minimum: float
    clause_confidence: float
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_calibration(cls, calibration: Mapping[str, Any]) -> SplitPolicy | None:
        """The policy of a manifest's `calibration`; None where it has none: then no message is cut."""
        if "split_minimum" not in calibration:
            return None
        weights = {str(name): float(weight) for name, weight in calibration["split_weights"].items()}
        return cls(float(calibration["split_minimum"]), float(calibration["split_clause_confidence"]), weights)

    def as_calibration(self) -> dict[str, Any]:
        """The manifest's entries: split_minimum, split_clause_confidence, split_weights."""
        return {
            "split_minimum": round(self.minimum, 4),
            "split_clause_confidence": round(self.clause_confidence, 4),
            "split_weights": {name: round(weight, 3) for name, weight in sorted(self.weights.items()) if weight},
        }

    def probability(self, features: Mapping[str, float]) -> float:
        """How likely a boundary with these features stands between two requests."""
        total = sum(self.weights.get(name, 0.0) * value for name, value in features.items())
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


@dataclass(frozen=True, slots=True)
class Boundary:
    """Two neighbouring clauses that could both be requests; `at` is where the second starts in the message."""

    at: int
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Examined:
    """The reading of a message, its candidate clauses, and the reading of any stretch that `stretches_of` names."""

    whole: Reading
    clauses: tuple[Clause, ...]
    part: ReadPart


def stretches_of(clauses: Sequence[Clause]) -> tuple[tuple[int, int], ...]:
    """The stretches of a message that may be read apart: each clause, and neighbours together; none if it has one."""
    if len(clauses) < 2:
        return ()
    return tuple((one.start, other.end) for at, one in enumerate(clauses) for other in clauses[at:])


def read_requests(message: Examined, policy: SplitPolicy | None) -> tuple[Request, ...]:
    """The requests of a message in the order they are mentioned; at least one.

    A message of one request has exactly one, equal to its reading. Raises what reading a part raises.
    """
    whole = message.whole
    if policy is None or len(message.clauses) < 2:
        return (_only(whole),)
    parts = _without_fillers(carried_over(_parts(message), message.whole.text), policy)
    while len(parts) > 1:
        chances = [_chance(left, right, whole, policy) for left, right in pairwise(parts)]
        at = min(range(len(chances)), key=chances.__getitem__)
        if chances[at] >= policy.minimum:
            break
        parts[at : at + 2] = [_together(parts[at], parts[at + 1], message)]
    if len(parts) < 2:
        return (_only(whole),)
    return tuple(_request(part, whole) for part in parts)


def boundaries(message: Examined, policy: SplitPolicy) -> list[Boundary]:
    """What `policy.weights` weighs in a message, clause by clause and with neighbours taken together.

    These are the places that no rule decides: the material to learn the weights from.
    """
    if len(message.clauses) < 2:
        return []
    parts = _without_fillers(carried_over(_parts(message), message.whole.text), policy)
    couples = list(pairwise(parts))
    for at in range(len(parts) - 2):
        couples.append((_together(parts[at], parts[at + 1], message), parts[at + 2]))
        couples.append((parts[at], _together(parts[at + 1], parts[at + 2], message)))
    return [
        Boundary(right.start, _features(left, right, message.whole))
        for left, right in couples
        if _by_rule(left, right, message.whole) is None
    ]


def _only(whole: Reading) -> Request:
    return _request(Part(whole.text, 0, len(whole.text), None, whole, whole.slots), whole)


def _request(part: Part, whole: Reading) -> Request:
    """A part as a request, with the message's slots in it and those that were read for it alone."""
    said = _within(whole.slots, part.start, part.end)
    own = [one for one in part.slots if all(one.end <= other.start or other.end <= one.start for other in said)]
    return Request(
        text=whole.text[part.start : part.end],
        start=part.start,
        end=part.end,
        intent=part.reading.intent,
        confidence=part.reading.confidence,
        in_scope=part.reading.in_scope,
        in_scope_score=part.reading.in_scope_score,
        alternatives=part.reading.alternatives,
        options=part.reading.options,
        slots=tuple(sorted((*said, *own), key=lambda slot: slot.start)),
    )


def _within(slots: Sequence[Slot], start: int, end: int) -> tuple[Slot, ...]:
    return tuple(slot for slot in slots if slot.start >= start and slot.end <= end)


def _parts(message: Examined) -> list[Part]:
    found = []
    for clause in message.clauses:
        words = message.whole.text[clause.start : clause.end]
        slots = _within(message.whole.slots, clause.start, clause.end)
        reading = message.part(clause.start, clause.end)
        found.append(Part(words, clause.start, clause.end, clause.joint, reading, slots))
    return found


def _together(left: Part, right: Part, message: Examined) -> Part:
    """Two neighbours as one part."""
    text = message.whole.text[left.start : right.end]
    reading = message.part(left.start, right.end)
    return Part(text, left.start, right.end, left.joint, reading, (*left.slots, *right.slots), left.carried)


def _without_fillers(parts: Sequence[Part], policy: SplitPolicy) -> list[Part]:
    """Clauses that cannot be requests go to the one before them, the first ones to the one after."""
    found: list[Part] = []
    for part in parts:
        if found and (_is_filler(part, policy) or _is_filler(found[-1], policy)):
            left = found[-1]
            meant = left if _is_filler(part, policy) else part
            stretched = replace(meant, start=left.start, end=part.end, joint=left.joint)
            found[-1] = replace(stretched, slots=(*left.slots, *part.slots))
        else:
            found.append(part)
    return found


def _is_filler(part: Part, policy: SplitPolicy) -> bool:
    """Whether a clause cannot be a request of its own beside another."""
    reading = part.reading
    if part.carried:
        return False
    unclear = reading.confidence < policy.clause_confidence and part.joint not in _ADDED
    if not reading.in_scope or unclear or reading.intent in COURTESIES:
        return True
    if reading.intent in ("affirm", "deny") and part.joint is not None:
        return True
    return reading.intent == "help" and not _HELP_WANTED.search(part.text)


def _by_rule(left: Part, right: Part, whole: Reading) -> bool | None:
    """Whether two parts are two requests, where no weighing is needed to tell; else None."""
    if right.carried or _both_pay(left, right, whole):
        return True
    if left.reading.intent == right.reading.intent:
        return _another_object(left, right)
    if left.reading.intent in ("affirm", "deny") and right.joint in (Joint.COMMA, Joint.RUN_ON):
        return False
    if right.reading.intent == "request_refund" and not asks(left.text) and left.reading.intent in COMPLAINTS:
        return False
    return None


def _both_pay(left: Part, right: Part, whole: Reading) -> bool:
    """Whether each of two parts says by its form how much is paid to whom, and the second is no correction."""
    paying = all(part.reading.in_scope and part.reading.intent in PAYING for part in (left, right))
    told = (left.carried or where_more_may_follow(left.text) is not None) and opens_payment(right.text)
    return paying and told and not takes_back(whole.text[left.end : right.start])


def _chance(left: Part, right: Part, whole: Reading, policy: SplitPolicy) -> float:
    """How likely two parts are two requests."""
    ruled = _by_rule(left, right, whole)
    return float(ruled) if ruled is not None else policy.probability(_features(left, right, whole))


def _another_object(left: Part, right: Part) -> bool:
    """Whether two clauses of one intent ask for it twice, each for an object of its own."""
    if left.reading.intent not in CARRIED or not (asks(left.text) and asks(right.text)):
        return False
    for name in ("bill_type", "payee"):
        said = [{str(slot.value) for slot in part.slots if slot.name == name} for part in (left, right)]
        if said[0] and said[1] and not said[0] & said[1]:
            return True
    return False


def _features(left: Part, right: Part, whole: Reading) -> dict[str, float]:
    """What speaks for and against a cut between two parts: each evidence, and each two of them together."""
    single = _evidence(left, right, whole)
    both = {f"{one} * {two}": single[one] * single[two] for one, two in combinations(sorted(single), 2)}
    return {"bias": 1.0, **single, **{name: value for name, value in both.items() if value}}


def _evidence(left: Part, right: Part, whole: Reading) -> dict[str, float]:
    """What is seen at a boundary, each about 0 to 1."""
    one, two = left.reading, right.reading
    in_whole = {candidate.intent: candidate.confidence for candidate in whole.alternatives}
    shares = sorted((in_whole.get(one.intent, 0.0), in_whole.get(two.intent, 0.0)))
    crossed = sum(
        candidate.confidence
        for reading, other in ((one, two), (two, one))
        for candidate in reading.alternatives
        if candidate.intent == other.intent
    )
    likeness = sorted((float(whole.embedding @ one.embedding), float(whole.embedding @ two.embedding)))
    wishes = asks(left.text), asks(right.text)
    return {
        f"joint_{right.joint or Joint.STOP}": 1.0,
        "confidence_left": min(one.confidence, _SURE),
        "confidence_right": min(two.confidence, _SURE),
        "whole_less": shares[0],
        "whole_more": min(shares[1], _SURE),
        "whole_like_less": likeness[0],
        "whole_like_more": likeness[1],
        "crossed": crossed,
        "alike": float(one.embedding @ two.embedding),
        "same_category": float(BY_NAME[one.intent].category == BY_NAME[two.intent].category),
        "asks_left": float(wishes[0]),
        "asks_right": float(wishes[1]),
        "opens_left": float(opens_with_a_request(left.text)),
        "opens_right": float(opens_with_a_request(right.text)),
        "refers_back": float(bool(_BACK_REFERENCE.search(right.text))),
        "words_left": min(len(left.text.split()), 8) / 8,
        "words_right": min(len(right.text.split()), 8) / 8,
    }
