"""How people, keyboards and attackers spoil a message: each change at a stated strength, the same for one seed.

The tables here belong to the proof alone. Training has its own typing errors (`training/augment.py`) and the model
its own reading aids (`nlu/normalise.py`), so that no figure comes from undoing what the same table did.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llm_banking.nlu.taxonomy import CONVERSATIONAL
from llm_banking.proof.perturbation_texts import (
    ABBREVIATIONS,
    EMOJI,
    INJECTIONS,
    LEET,
    LOOKALIKES,
    NEIGHBOURS,
    OPENINGS,
    PHRASES,
    QUOTED,
    RAMBLE,
    THANKS,
    ZERO_WIDTH,
)

Change = Callable[[str, random.Random], str]

RAMBLE_CHARACTERS = 2000
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One change to a text. `wraps` is set where other text is put around the request.

    A wrapping change has no meaning for a message that only steers the conversation ("hello", "yes").
    """

    name: str
    strength: str
    change: Change
    wraps: bool = False

    def applies(self, label: str) -> bool:
        """Whether a row of this label keeps its label under the change."""
        return not (self.wraps and label in CONVERSATIONAL)

    def texts(self, texts: Sequence[str], seed: int) -> list[str]:
        """Every text changed. The same for the same seed, text and place in the list."""
        return [
            self.change(text, random.Random(f"{seed}/{self.name}/{self.strength}/{place}"))  # noqa: S311 - no secret
            for place, text in enumerate(texts)
        ]


def _count(expected: float, rng: random.Random) -> int:
    """A whole number whose mean is `expected`."""
    whole = int(expected)
    return whole + (rng.random() < expected - whole)


def _typo(word: str, rng: random.Random) -> str:
    """One slip in a word: a key beside the right one, a key missed, a key too many, or two keys swapped."""
    kind = rng.choice(("replace", "miss", "add", "swap"))
    at = rng.randrange(len(word) - 1 if kind == "swap" else len(word))
    near = rng.choice(NEIGHBOURS.get(word[at].lower(), "aeiost"))
    if word[at].isupper():
        near = near.upper()
    if kind == "replace":
        return word[:at] + near + word[at + 1 :]
    if kind == "miss":
        return word[:at] + word[at + 1 :]
    if kind == "add":
        return word[: at + 1] + near + word[at + 1 :]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def typos(per_word: float) -> Change:
    """Slips of the finger in `per_word` of the words, each in a word of its own, long words likelier than short."""

    def change(text: str, rng: random.Random) -> str:
        words = list(_WORD.finditer(text))
        wanted = min(len(words), _count(len(text.split()) * per_word, rng))
        chosen: set[int] = set()
        while len(chosen) < wanted:
            chosen.add(rng.choices(range(len(words)), [len(word.group()) for word in words])[0])
        for place in sorted(chosen, reverse=True):
            word = words[place]
            text = text[: word.start()] + _typo(word.group(), rng) + text[word.end() :]
        return text

    return change


def _of_words(share: float, spoil: Change) -> Change:
    """`spoil` done to each word with the chance `share`."""

    def change(text: str, rng: random.Random) -> str:
        return _WORD.sub(lambda word: spoil(word.group(), rng) if rng.random() < share else word.group(), text)

    return change


def _of_letters(share: float, table: dict[str, str]) -> Change:
    """Each letter that `table` knows replaced by one of its stand-ins with the chance `share`."""

    def change(text: str, rng: random.Random) -> str:
        return "".join(
            rng.choice(table[letter]) if letter in table and rng.random() < share else letter for letter in text
        )

    return change


def _double(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word))
    return word[: at + 1] + word[at:]


def _stretch(word: str, rng: random.Random) -> str:
    at = max(rng.randrange(len(word)), rng.randrange(len(word)))
    return word[:at] + word[at] * rng.randint(3, 6) + word[at + 1 :]


def _digits_for_letters(word: str, rng: random.Random) -> str:
    places = [at for at, letter in enumerate(word.lower()) if letter in LEET]
    if not places:
        return word
    at = rng.choice(places)
    return word[:at] + LEET[word[at].lower()] + word[at + 1 :]


def _no_punctuation(text: str, _rng: random.Random) -> str:
    bare = re.sub(r"(?<=\d)[.,:](?=\d)", "\0", text)
    bare = "".join(one for one in bare if not unicodedata.category(one).startswith("P"))
    return " ".join(re.sub("\0", ".", bare).split())


def _emoji(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    words.insert(rng.randint(0, len(words)), rng.choice(EMOJI))
    return " ".join(words) + rng.choice(("", " ")) + rng.choice(EMOJI) * rng.randint(1, 3)


def _zero_width(text: str, rng: random.Random) -> str:
    return "".join(one + (rng.choice(ZERO_WIDTH) if rng.random() < 0.2 else "") for one in text)


def _full_width(text: str, _rng: random.Random) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)


def _dropped_spaces(share: float) -> Change:
    def change(text: str, rng: random.Random) -> str:
        return "".join(one for one in text if one != " " or rng.random() >= share)

    return change


def _abbreviated(text: str, _rng: random.Random) -> str:
    for phrase, short in PHRASES.items():
        text = re.sub(rf"\b{phrase}\b", short, text, flags=re.IGNORECASE)
    return _WORD.sub(lambda word: ABBREVIATIONS.get(word.group().lower(), word.group()), text)


def _polite(text: str, rng: random.Random) -> str:
    return f"{rng.choice(OPENINGS)} {text} {rng.choice(THANKS)}"


def _rambling(text: str, rng: random.Random) -> str:
    filler = rng.sample(RAMBLE, len(RAMBLE))
    said: list[str] = []
    while filler and sum(map(len, said)) + len(said) + len(text) < RAMBLE_CHARACTERS:
        said.append(filler.pop())
    said.insert(rng.randint(0, len(said)), text if text[-1:] in ".?!" else text + ".")
    return " ".join(said)


def _unpunctuated_ramble(text: str, rng: random.Random) -> str:
    return _no_punctuation(_rambling(text, rng), rng).lower()


def _injected(text: str, rng: random.Random) -> str:
    return rng.choice(INJECTIONS).replace("{request}", text)


def _quoted(text: str, rng: random.Random) -> str:
    return rng.choice(QUOTED).replace("{request}", text)


PERTURBATIONS: tuple[Perturbation, ...] = (
    Perturbation("typos", "1 in 10 words", typos(0.1)),
    Perturbation("typos", "2 in 10 words", typos(0.2)),
    Perturbation("no punctuation", "all of it", _no_punctuation),
    Perturbation("upper case", "every letter", lambda text, _rng: text.upper()),
    Perturbation("lower case", "every letter", lambda text, _rng: text.lower()),
    Perturbation("emoji", "2 to 4 a message", _emoji),
    Perturbation("look-alike letters", "10% of letters", _of_letters(0.1, LOOKALIKES)),
    Perturbation("look-alike letters", "30% of letters", _of_letters(0.3, LOOKALIKES)),
    Perturbation("zero-width characters", "after 20% of characters", _zero_width),
    Perturbation("full-width letters", "every character", _full_width),
    Perturbation("digits for letters", "1 in 5 words", _of_words(0.2, _digits_for_letters)),
    Perturbation("doubled letters", "1 in 5 words", _of_words(0.2, _double)),
    Perturbation("stretched letters", "1 in 5 words", _of_words(0.2, _stretch)),
    Perturbation("dropped spaces", "10% of spaces", _dropped_spaces(0.1)),
    Perturbation("dropped spaces", "20% of spaces", _dropped_spaces(0.2)),
    Perturbation("chat abbreviations", "every word that has one", _abbreviated),
    Perturbation("greeting and thanks around", "one of each", _polite, wraps=True),
    Perturbation("ramble around", "2,000 characters", _rambling, wraps=True),
    Perturbation("ramble around, no punctuation", "2,000 characters", _unpunctuated_ramble, wraps=True),
    Perturbation("prompt pasted around", "one", _injected, wraps=True),
    Perturbation("quoted e-mail around", "one", _quoted, wraps=True),
)
"""Everything the published robustness table shows, in its order."""
