"""Texts that the token head learns from: read, varied, and turned into word pieces with the tags each may have."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from tokenizers import Tokenizer

from llm_banking.nlu.evaluation import RowsInvalidError
from llm_banking.nlu.span_rows import NLUPP, SGD, SPAN_FILES, UNSURE, Part, SpanExample, read_span_rows
from llm_banking.nlu.spans import SPAN_TYPES, TAGS, Span, Word, words_of
from llm_banking.training.datasets import DataInvalidError, read_banking77, require

OWN, NEGATIVE = "own", "banking77"
NEGATIVE_TYPED = frozenset({"PERSON", "ADDRESS", "CARD", "ACCOUNT", "SSN", "PHONE"})
"""Banking77 is support text in which none of these occurs."""

_DIGITS = frozenset({"CARD", "ACCOUNT", "SSN", "PHONE", "ADDRESS", "AMOUNT"})
"""Types in which one digit is as good as another."""
_BLANK = re.compile(r"\{([A-Z]+)\}")
_TYPO_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A tokenised text. `allowed` (words, tags) is true where a tag may be right; a row of all true teaches nothing."""

    ids: tuple[int, ...]
    words: tuple[Word, ...]
    allowed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pools:
    """What a blank or a name may be filled with, by type; from training parts and from words of this project."""

    fillers: dict[str, tuple[str, ...]]
    templates: tuple[str, ...]


def load_span_examples(data_dir: Path, part: Part) -> list[SpanExample]:
    """The four span sets, one part of each. Raises DataMissingError, DataInvalidError."""
    examples: list[SpanExample] = []
    for source, name in SPAN_FILES.items():
        path = require(data_dir, name)
        try:
            examples += read_span_rows(path, source, part)
        except RowsInvalidError as error:
            raise DataInvalidError(error.message) from None
    return examples


def load_negatives(data_dir: Path, rows: int, rng: random.Random) -> list[SpanExample]:
    """Banking77 training rows: support text without personal data. Raises DataMissingError, DataInvalidError."""
    found = read_banking77(require(data_dir, "banking77/train.csv"))
    chosen = rng.sample(found, min(rows, len(found)))
    return [SpanExample(one.text, (), NEGATIVE, NEGATIVE_TYPED) for one in chosen]


def load_pools(examples: Iterable[SpanExample]) -> Pools:
    """Fillers from marked spans of the given (training) examples, with the templates and merchants of this project."""
    source = resources.files("llm_banking.training") / "data" / "span_templates.yml"
    document = yaml.safe_load(source.read_text(encoding="utf-8"))
    found: dict[str, dict[str, None]] = {kind: {} for kind in SPAN_TYPES}
    for example in examples:
        for span in example.spans:
            text = " ".join(example.text[span.start : span.end].split())
            if span.type in found and 1 < len(text) <= 80:
                found[span.type][text.lower()] = None
    found["ORGANIZATION"] |= dict.fromkeys(document["merchants"])
    return Pools({kind: tuple(texts) for kind, texts in found.items()}, tuple(document["templates"]))


def _number(rng: random.Random, digits: int) -> str:
    return str(rng.randrange(10 ** (digits - 1), 10**digits))


def _amount(rng: random.Random) -> str:
    number = rng.choice((_number(rng, rng.randint(1, 4)), f"{rng.randint(1, 999)}.{rng.randint(0, 99):02}"))
    return rng.choice(("${}", "£{}", "€{}", "{} dollars", "{} bucks", "{} euros", "{} pounds", "{}€", "{}")).format(
        number
    )


def _card(rng: random.Random) -> str:
    whole = _number(rng, 16)
    return rng.choice((whole, whole, " ".join(whole[at : at + 4] for at in range(0, 16, 4))))


def _phone(rng: random.Random) -> str:
    shape = rng.choice(("{}-{}-{}", "({}) {}-{}", "{}.{}.{}", "{} {} {}", "+1 {} {} {}", "{}{}{}", "0{} {} {}"))
    return shape.format(_number(rng, 3), _number(rng, 3), _number(rng, 4))


def _ssn(rng: random.Random) -> str:
    return rng.choice(("{}-{}-{}", "{} {} {}", "{}{}{}")).format(_number(rng, 3), _number(rng, 2), _number(rng, 4))


_MADE: dict[str, Callable[[random.Random], str]] = {
    "AMOUNT": _amount,
    "CARD": _card,
    "PHONE": _phone,
    "SSN": _ssn,
    "ACCOUNT": lambda rng: _number(rng, rng.randint(6, 12)),
}


def _filler(kind: str, pools: Pools, rng: random.Random) -> str:
    if kind in _MADE and rng.random() < 0.8:
        return _MADE[kind](rng)
    if kind == "PERSON":
        return _person(pools, rng)
    return rng.choice(pools.fillers[kind]) if pools.fillers[kind] else kind.lower()


def _person(pools: Pools, rng: random.Random) -> str:
    """A name of the pool, or a new one from the parts of two."""
    names = pools.fillers["PERSON"] or ("ana",)
    if rng.random() < 0.5:
        return rng.choice(names)
    return f"{rng.choice(names).split()[0]} {rng.choice(names).split()[-1]}"


def own_examples(pools: Pools, count: int, rng: random.Random) -> list[SpanExample]:
    """Sentences of this project with their blanks filled; every type is marked in them."""
    examples: list[SpanExample] = []
    for number in range(count):
        template = pools.templates[number % len(pools.templates)]
        parts: list[tuple[str, str | None]] = []
        at = 0
        for blank in _BLANK.finditer(template):
            parts += [(template[at : blank.start()], None), (_filler(blank[1], pools, rng), blank[1])]
            at = blank.end()
        parts.append((template[at:], None))
        examples.append(_joined(parts, OWN, frozenset(SPAN_TYPES)))
    return examples


def _joined(parts: Sequence[tuple[str, str | None]], source: str, typed: frozenset[str]) -> SpanExample:
    text = ""
    spans: list[Span] = []
    for piece, kind in parts:
        if kind is not None and piece:
            spans.append(Span(len(text), len(text) + len(piece), kind))
        text += piece
    return SpanExample(text, tuple(spans), source, typed)


def varied(example: SpanExample, pools: Pools, rng: random.Random) -> SpanExample:
    """The example with other names and digits in its spans and a few slips of the keyboard around them.

    Letter case is left alone: the encoder reads lower case only.
    """
    parts: list[tuple[str, str | None]] = []
    at = 0
    for span in example.spans:
        parts.append((_mistyped(example.text[at : span.start], rng), None))
        parts.append((_replaced(example.text[span.start : span.end], span.type, pools, rng), span.type))
        at = span.end
    parts.append((_mistyped(example.text[at:], rng), None))
    return _joined(parts, example.source, example.typed)


def _replaced(text: str, kind: str, pools: Pools, rng: random.Random) -> str:
    if kind == "PERSON" and text.lower() not in ("mr.", "ms.", "mrs.", "dr.", "miss") and rng.random() < 0.6:
        return _person(pools, rng)
    if kind == "ORGANIZATION" and pools.fillers[kind] and rng.random() < 0.6:
        return rng.choice(pools.fillers[kind])
    if kind in _DIGITS and rng.random() < 0.8:
        return re.sub(r"\d", lambda digit: str(rng.randint(1, 9)) if digit[0] != "0" else "0", text)
    return text


def _mistyped(text: str, rng: random.Random) -> str:
    """Some words of four letters or more with a letter lost or two swapped."""

    def slip(match: re.Match[str]) -> str:
        word = match[0]
        if rng.random() >= _TYPO_SHARE:
            return word
        at = rng.randrange(1, len(word) - 1)
        return (
            word[:at] + word[at + 1 :] if rng.random() < 0.5 else f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}"
        )

    return re.sub(r"[A-Za-z]{4,}", slip, text)


def allowed_tags(example: SpanExample, words: Sequence[Word]) -> NDArray[np.bool_]:
    """Which tags each word may have, (words, tags).

    A marked word has its tag. An unmarked word is outside or of a type that the source does not mark. A word that a
    span cuts, or that lies in a span that cannot be mapped, may have any.
    """
    outside = np.array([tag == "O" or tag[2:] not in example.typed for tag in TAGS])
    allowed = np.tile(outside, (len(words), 1))
    for span in example.spans:
        if span.type not in SPAN_TYPES and span.type != UNSURE:
            continue
        first = True
        for row, word in enumerate(words):
            if word.end <= span.start or word.start >= span.end:
                continue
            if span.type == UNSURE or word.start < span.start or word.end > span.end:
                allowed[row] = True
            else:
                allowed[row] = False
                allowed[row, 2 * SPAN_TYPES.index(span.type) + (1 if first else 2)] = True
            first = False
    return allowed


def aligned(examples: Sequence[SpanExample], tokenizer: Tokenizer) -> list[SpanRow]:
    """Tokenise and mark. Words past the tokenizer's limit are not there; texts without a word are left out."""
    rows: list[SpanRow] = []
    for example, encoding in zip(examples, tokenizer.encode_batch([one.text for one in examples]), strict=True):
        words = words_of(encoding.word_ids, encoding.offsets)
        if words:
            rows.append(SpanRow(tuple(encoding.ids), words, allowed_tags(example, words)))
    return rows


def training_examples(
    examples: Sequence[SpanExample], negatives: Sequence[SpanExample], *, own: int, seed: int
) -> list[SpanExample]:
    """Everything one training sees: the marked sets with varied copies, sentences of this project, and negatives.

    The small sets weigh more; of texts without a span each wording stands once.
    """
    rng = random.Random(seed)  # noqa: S311 - a variation, not a secret
    pools = load_pools(examples)
    copies = {NLUPP: 5, SGD: 1}
    chosen: list[SpanExample] = []
    seen: set[tuple[str, str]] = set()
    for example in examples:
        if not example.spans and (example.source, example.text) in seen:
            continue
        seen.add((example.source, example.text))
        chosen.append(replace(example, names=(), values=()))
        times = copies.get(example.source, 1) if example.spans else int(example.source == NLUPP)
        chosen += [varied(example, pools, rng) for _ in range(times)]
    return [*chosen, *own_examples(pools, own, rng), *negatives]
