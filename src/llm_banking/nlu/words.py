"""The words that customers of a bank use, with how often: what spelling is judged by.

`words.txt` is counted from the training rows by `training/wordlist.py`: single words and counts, no sentence. A word
with the count 0 is right but no row has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources


@cache
def words() -> Mapping[str, int]:
    """Lower-case word → times seen in the training rows. Read once, about a millisecond."""
    source = resources.files("llm_banking.nlu") / "words.txt"
    pairs = (line.split(" ") for line in source.read_text(encoding="utf-8").splitlines())
    return {word: int(count) for word, count in pairs}
