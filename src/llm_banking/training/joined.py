"""Two requests in one message: rows of one request joined as customers join them."""

from __future__ import annotations

import random
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


@dataclass(frozen=True, slots=True)
class Joined:
    """A message of two requests; `spans` are their characters in it, (start, end) each."""

    text: str
    spans: tuple[tuple[int, int], tuple[int, int]]


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
