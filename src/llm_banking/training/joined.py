"""Rows of one request joined as customers join them: two requests in a message, or one among other talk."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

RELATED = 0.6
"""Share of the pairs whose labels are of one category: what a customer asks in one breath is seldom unrelated."""
_TEMPLATES = (
    "{a} and {b}",
    "{a} and also {b}",
    "{a}, and {b}",
    "{a} then {b}",
    "{a} and then {b}",
    "{a}. {B}",
    "{a}? {B}",
    "{a}. Also {b}",
    "{a}; {b}",
    "{a}, {b}",
    "{a} {b}",
    "{a}, after that {b}",
    "{a} plus {b}",
    "{a}\n{b}",
    "Hi! {A} and {b}. Thanks",
    "{a} & {b}",
)
"""The small letters are as in running text; a capital starts a sentence."""
_BETWEEN = (". ", ", ", " ", "\n", "; ", " and ")
"""What stands between the parts of a message that speaks of other things too; " " is a ramble without punctuation."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A message of several texts; `spans` are the characters of each in it, (start, end)."""

    text: str
    spans: tuple[tuple[int, int], ...]


def join_texts(rng: random.Random, one: str, two: str) -> Joined:
    """Two texts in one message, by a template drawn with `rng`."""
    template = rng.choice(_TEMPLATES)
    first, second = one.strip(), two.strip()
    if "? " not in template and "\n" not in template:
        first = first.rstrip(".?! ")
    if first.endswith("?"):
        template = template.replace("{a}? ", "{a} ")
    before, rest = template.split("{A}" if "{A}" in template else "{a}")
    between, after = rest.split("{B}" if "{B}" in template else "{b}")
    if "{A}" in template:
        first = first[:1].upper() + first[1:]
    if "{B}" in template:
        second = second[:1].upper() + second[1:]
    elif not second.startswith(("I ", "I'")):
        second = second[:1].lower() + second[1:]
    start = len(before) + len(first) + len(between)
    text = before + first + between + second + after
    return Joined(text, ((len(before), len(before) + len(first)), (start, start + len(second))))


def join_among(rng: random.Random, texts: Sequence[str]) -> Joined:
    """Texts in one message one after another, in the order drawn with `rng`; `spans` keep the order given."""
    between = rng.choice(_BETWEEN)
    order = rng.sample(range(len(texts)), len(texts))
    spans, text = [(0, 0)] * len(texts), ""
    for at in order:
        part = texts[at].strip()
        part = part if between == "\n" else part.rstrip(".?! ") or part
        text += between if text else ""
        spans[at] = (len(text), len(text) + len(part))
        text += part
    return Joined(text, tuple(spans))
