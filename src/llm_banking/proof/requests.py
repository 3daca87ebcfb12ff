"""How well several requests in one message are told apart, and how seldom a single one is cut.

Messages of two requests: those written for this project, pairs of held-out single rows joined by template, and the
rows of NLU++'s folds 8-9 that hold two requests of ours. Single ones: written with tempting conjunctions, and the
held-out rows themselves. What an intent is worth is not judged here: a pair counts only if both its intents are right.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from llm_banking.nlu.metrics import wilson_interval
from llm_banking.nlu.requests import Request
from llm_banking.nlu.taxonomy import BY_NAME, CONVERSATIONAL

ReadRequests = Callable[[str], Sequence[Request]]
"""The requests of a message; `lambda text: reader.read(text).requests`."""

NLUPP_FILE = "nlupp/banking_folds0-9.jsonl"
NLUPP_FOLDS = (8, 9)
_DEVELOPMENT, _HELD = "written, development half", "written, held half"
_JOINED, _JOINED_SHORT = "joined from held-out rows", "joined from held-out rows of one sentence"
_NLUPP = "NLU++ folds 8-9"
MAX_SHORT_WORDS = 12
_TEMPLATES = (
    "{a} and {b}",
    "{a}, and {b}",
    "{a} and also {b}",
    "{a}. Also, {b}",
    "{a} then {b}",
    "{a}, after that {b}",
    "{a} plus {b}",
    "{a}. {B}",
    "{a}; {b}",
    "{a}, {b}",
    "Two things: {a} and {b}",
    "1. {A}\n2. {B}",
    "- {A}\n- {B}",
    "hi, {a}. one more thing, {b}",
    "{A}. By the way, {b} Thanks!",
    "{a} & then {b}",
)


@dataclass(frozen=True, slots=True)
class Message:
    """A text, the intents asked for in it in the order of mention, and words that belong to each of them."""

    text: str
    intents: tuple[str, ...]
    slots: tuple[dict[str, str], ...] = ()


def written_messages(*, held: bool) -> list[Message]:
    """One half of the messages of two requests that ship with the project; the held ones are at odd places."""
    return [
        Message(row["text"], tuple(row["intents"]), tuple(row.get("slots", ())))
        for row in _rows("two_requests.yml")[int(held) :: 2]
    ]


def written_singles(*, held: bool) -> list[Message]:
    """One half of the tempting messages of one request that ship with the project; the held ones are at odd places."""
    return [Message(row["text"], (row["intent"],)) for row in _rows("single_requests.yml")[int(held) :: 2]]


def joined_messages(rows: Sequence[tuple[str, str]], count: int, seed: int) -> list[Message]:
    """Pairs of (text, label) rows of different banking requests, joined by the templates in turn; the same for a seed.

    Raises ValueError where the rows hold fewer than two such labels.
    """
    ours = sorted({row for row in rows if row[1] in BY_NAME and row[1] not in CONVERSATIONAL})
    if len({label for _, label in ours}) < 2:
        raise ValueError("rows of two different banking requests are needed")
    rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
    found: list[Message] = []
    while len(found) < count:
        one, two = rng.sample(ours, 2)
        if one[1] != two[1]:
            found.append(Message(_joined(_TEMPLATES[len(found) % len(_TEMPLATES)], one[0], two[0]), (one[1], two[1])))
    return found


def is_short(text: str) -> bool:
    """Whether a text is one sentence of MAX_SHORT_WORDS words at most, as customers put two requests in one message."""
    return len(text.split()) <= MAX_SHORT_WORDS and not re.search(r"[.?!;\n]\s+\S", text)


def nlupp_messages(path: Path) -> tuple[list[Message], list[Message]]:
    """NLU++'s folds 8-9 by the labels that ship with the project: (of two requests, single ones without an intent)."""
    wanted = {row["id"]: tuple(row["intents"]) for row in _rows("nlupp_two_requests.yml")}
    with path.open(encoding="utf-8") as stream:
        rows = [row for row in map(json.loads, stream) if row["fold"] in NLUPP_FOLDS]
    two = [Message(row["text"], wanted[row["id"]]) for row in rows if row["id"] in wanted]
    return two, [Message(row["text"], ()) for row in rows if row["id"] not in wanted]


def evaluate_requests(
    read_requests: ReadRequests,
    held_out: Sequence[tuple[str, str]],
    data_dir: Path | None = None,
    *,
    joined: int = 150,
    seed: int = 20,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Figures over every source, deterministic for a reader, rows and seed; JSON values only.

    `held_out` are (text, label) rows that trained nothing. NLU++ is left out where `data_dir` is None or lacks it.
    "two_requests" gives, by source and for "all held" together, shares with their 95% intervals: exact set (the
    same intents), ordered (in the same order), count (two found), and words (each at its request). "single_requests"
    gives the share that was cut.
    """
    pairs = {
        _HELD: written_messages(held=True),
        _JOINED_SHORT: joined_messages([row for row in held_out if is_short(row[0])], joined, seed),
        _JOINED: joined_messages(held_out, joined, seed + 1),
        _DEVELOPMENT: written_messages(held=False),
    }
    singles = {
        _HELD: written_singles(held=True),
        _DEVELOPMENT: written_singles(held=False),
        "held-out rows": [Message(text, (label,)) for text, label in held_out if label in BY_NAME],
    }
    if data_dir is not None and (data_dir / NLUPP_FILE).is_file():
        pairs[_NLUPP], singles[_NLUPP] = nlupp_messages(data_dir / NLUPP_FILE)
    two: dict[str, Any] = {}
    scored: list[tuple[Message, tuple[Request, ...]]] = []
    for source, messages in pairs.items():
        if progress is not None:
            progress(source)
        answers = [(message, tuple(read_requests(message.text))) for message in messages]
        if source != _DEVELOPMENT:
            scored += answers
        if answers:
            two[source] = _figures(answers)
    two["all held"] = _figures(scored)
    one: dict[str, Any] = {}
    for source, messages in singles.items():
        if progress is not None:
            progress(f"single, {source}")
        one[source] = _false_splits(read_requests, messages)
    return {"seed": seed, "two_requests": two, "single_requests": one}


def _rows(name: str) -> list[dict[str, Any]]:
    source = resources.files("llm_banking.proof") / "data" / name
    return list(yaml.safe_load(source.read_text(encoding="utf-8"))["messages"])


def _joined(template: str, one: str, two: str) -> str:
    """Two texts in a template; a question keeps its mark where a sentence ends after it."""
    first, second = one.strip(), two.strip()
    if "{a}." in template or "{A}." in template:
        ends = first[-1:] in ".?!"
        template = template.replace("{a}.", "{a}").replace("{A}.", "{A}") if ends else template
    elif "\n" not in template:
        first = first.rstrip(".?! ")
    lowered = second if second.startswith(("I ", "I'")) else second[:1].lower() + second[1:]
    return template.format(a=first, A=first[:1].upper() + first[1:], b=lowered, B=second[:1].upper() + second[1:])


def _share(hits: int, rows: int) -> dict[str, float]:
    low, high = wilson_interval(hits, rows)
    return {"share": round(hits / rows, 4), "low": round(low, 4), "high": round(high, 4)}


def _figures(answers: Sequence[tuple[Message, tuple[Request, ...]]]) -> dict[str, Any]:
    exact = ordered = counted = words = words_right = 0
    for message, requests in answers:
        intents = tuple(request.intent for request in requests)
        exact += Counter(intents) == Counter(message.intents)
        ordered += intents == message.intents
        counted += len(intents) == len(message.intents)
        words += sum(len(slots) for slots in message.slots)
        words_right += _words_right(message, requests)
    rows = len(answers)
    found: dict[str, Any] = {
        "rows": rows,
        "exact_set": _share(exact, rows),
        "ordered": _share(ordered, rows),
        "count": _share(counted, rows),
    }
    if words:
        found["words"] = {"rows": words, **_share(words_right, words)}
    return found


def _words_right(message: Message, requests: Sequence[Request]) -> int:
    """How many of the words that belong to a request are among the slots of it."""
    right = 0
    for wanted, request in zip(message.slots, requests, strict=False):
        for name, words in wanted.items():
            right += any(slot.name == name and words in slot.text for slot in request.slots)
    return right


def _false_splits(read_requests: ReadRequests, messages: Sequence[Message]) -> dict[str, Any]:
    cut = sum(len(read_requests(message.text)) > 1 for message in messages)
    return {"rows": len(messages), "cut": cut, **_share(cut, len(messages))}
