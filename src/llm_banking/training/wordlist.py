"""Counts the words of the training rows for `nlu/words.txt`, by which spelling is repaired.

A word with the count 0 is a right word that no row has; it is listed where it would pass for a slip of one that is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from llm_banking.nlu.repair import LEAST_LETTERS, one_slip_away

LEAST_COUNT = 2
SUSPECT_COUNT = 10
"""A word seen at most so often may be a misspelling that several people share."""
SUSPECT_RATIO = 8.0
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def count_words(texts: Iterable[str], known: Collection[str]) -> dict[str, int]:
    """Words seen at least LEAST_COUNT times, commonest first, without shared misspellings; then those like them.

    A rare word that is not `known` (the whole words of the tokenizer) is taken for a misspelling where a word
    SUSPECT_RATIO times as common is one slip away, inflection aside.
    """
    seen = Counter(word for text in texts for word in _WORD.findall(text.casefold().replace("\u2019", "'")))
    often = {word: count for word, count in seen.items() if count >= LEAST_COUNT}
    good = {
        word: count
        for word, count in often.items()
        if word in known or "'" in word or count > SUSPECT_COUNT or not _misspelt(word, count, often)
    }
    beside = {near for word in good for near in one_slip_away(word) if near in known and near.isalpha()} - good.keys()
    good |= dict.fromkeys((word for word in beside if len(word) >= LEAST_LETTERS), 0)
    return dict(sorted(good.items(), key=lambda pair: (-pair[1], pair[0])))


def _misspelt(word: str, count: int, often: Mapping[str, int]) -> bool:
    near = one_slip_away(word) & often.keys()
    return any(often[other] >= SUSPECT_RATIO * count and word not in {other + "s", other + "d"} for other in near)


def write_words(texts: Iterable[str], known: Collection[str], path: Path) -> int:
    """Write the counts, one `word count` a line; returns how many words."""
    counts = count_words(texts, known)
    path.write_text("".join(f"{word} {count}\n" for word, count in counts.items()), encoding="utf-8")
    return len(counts)
