"""Slips of spelling put right before the model reads: typing errors, lost spaces, digits for letters, chat words.

Only a word that nobody is known to use is touched, and only where one common word stands one slip away (Damerau
1964); what a slot or a name says is read from the original through the offsets.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from string import ascii_lowercase

from llm_banking.nlu.normalise import Normalised, Piece, replaced, untouched
from llm_banking.nlu.words import words

_SHORT: dict[str, str] = {
    "2day": "today", "2moro": "tomorrow", "2morrow": "tomorrow", "abt": "about", "acc": "account", "accnt": "account",
    "accs": "accounts", "acct": "account", "accts": "accounts", "amt": "amount", "appt": "appointment",
    "arent": "aren't", "asap": "as soon as possible", "b4": "before", "bal": "balance", "bc": "because",
    "bcoz": "because", "bday": "birthday", "bt": "but", "cc": "credit card", "cld": "could", "cnt": "can't",
    "couldnt": "couldn't", "coz": "because", "cuz": "because", "dat": "that", "dd": "direct debit", "dis": "this",
    "dnt": "don't", "frm": "from", "frnd": "friend", "gonna": "going to", "gotta": "have to", "govt": "government",
    "gr8": "great", "hasnt": "hasn't", "hv": "have", "idk": "i don't know", "im": "i'm", "info": "information",
    "intl": "international", "ive": "i've", "l8r": "later", "msg": "message", "mth": "month", "nd": "and",
    "nvm": "never mind", "pls": "please", "plse": "please", "plss": "please", "plz": "please", "pmt": "payment",
    "pmts": "payments", "ppl": "people", "pw": "password", "pymt": "payment", "qty": "quantity", "r": "are",
    "rcvd": "received", "rn": "right now", "shld": "should", "shouldnt": "shouldn't", "stmt": "statement",
    "stmts": "statements", "svc": "service", "tfr": "transfer", "theyre": "they're", "thru": "through", "tht": "that",
    "thx": "thanks", "tmr": "tomorrow", "tmrw": "tomorrow", "tnx": "thanks", "trf": "transfer", "trx": "transaction",
    "tx": "transaction", "txn": "transaction", "txns": "transactions", "txs": "transactions", "ty": "thank you",
    "u": "you", "ur": "your", "wanna": "want to", "wasnt": "wasn't", "wat": "what", "wdl": "withdrawal",
    "wen": "when", "werent": "weren't", "wk": "week", "wld": "would", "wont": "won't", "wot": "what",
    "wouldnt": "wouldn't", "xfer": "transfer", "xfers": "transfers", "yday": "yesterday", "youre": "you're",
    "yr": "year",
}  # fmt: skip
"""What customers type for short, and what they mean in a bank."""

_LETTER_FOR = tuple(str.maketrans("013457@$!", letters) for letters in ("oieastasi", "oleastasi"))
_WORD = re.compile(r"(?<![\w@./#&*+$\u20ac\u00a3'])[a-z0-9][a-z0-9@$!']{0,40}(?![@#*]|[./&']?\w)", re.IGNORECASE)
_EDGES = '.,;:?!"()'
_MEASURE = re.compile(r"\d+(?:[ap]m|th|k|m|bn|c|x|g|gb|hrs?|h|mins?|yrs?|usd|eur|gbp)?|\d*(?:1st|2nd|3rd)|[a-z]\d\d+")
LEAST_LETTERS = 3
_MOST_LETTERS = 24
_NAME_LETTERS = 7
"""A capitalised word inside a sentence is a name unless it is at least so long."""
_SHORT_COUNT = 25
"""How common a word must be to be what another of three letters meant: nearly all of them are near each other."""
_PART_COUNTS = (100, 100, 100, 100, 5)
"""How common a word of so many letters, the last figure for any more, must be to be read out of a run of words."""
_SLIP = math.log(0.02)
_LOST_SPACE = math.log(0.02)


def one_slip_away(word: str) -> set[str]:
    """Every string that one letter more, less, other or swapped makes of the word, itself not included."""
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    made = {left + right[1:] for left, right in cuts if right}
    made |= {left + right[1] + right[0] + right[2:] for left, right in cuts if len(right) > 1}
    for letter in ascii_lowercase:
        made |= {left + letter + right[1:] for left, right in cuts if right}
        made |= {left + letter + right for left, right in cuts}
    made.discard(word)
    return made


class Repairer:
    """Repairs texts by the shipped word list. Safe to call from several threads."""

    def __init__(self) -> None:
        self._counts = words()
        self._right = frozenset(self._counts.keys() - _SHORT.keys())
        self._total = sum(self._counts.values())
        self._meant = lru_cache(maxsize=8192)(self._look_up)

    def repair(self, text: str) -> Normalised:
        """The text with its slips put right; spans of the result lead back to `text`. Raises nothing."""
        if all(word.strip(_EDGES) in self._right for word in text.lower().split()):
            return untouched(text)
        shouted = text.isupper()

        def better(match: re.Match[str]) -> list[Piece] | None:
            word = match.group()
            low = word.lower()
            if low in self._right:
                return None
            if word[0] == "I" and word[1:].islower() and self._common(low[1:]) and low not in _SHORT:
                meant = f"I {low[1:]}"
            elif word[0].isupper() and word.isalpha() and not shouted and not _starts_sentence(text, match.start()):
                # A short capitalised word inside a sentence is a name.
                meant = self._meant(low) if low in _SHORT or len(low) >= _NAME_LETTERS else low
            else:
                meant = self._meant(low)
            return None if meant == low else [(meant, *match.span())]

        return replaced(text, _WORD, better)

    def _common(self, word: str) -> bool:
        return self._counts.get(word, 0) >= _SHORT_COUNT

    def _look_up(self, low: str) -> str:
        """What a word in lower case stands for: itself where nothing better is found."""
        if low in _SHORT:
            return _SHORT[low]
        bare = low.rstrip("!$'")
        if bare != low:
            return self._look_up(bare) + low[len(bare) :] if bare else low
        if not low.replace("'", "").isalpha():
            return self._spelt_with_digits(low)
        if len(low) == 2 and self._counts.get(low[::-1], 0) >= _PART_COUNTS[2]:
            return low[::-1]
        if not LEAST_LETTERS <= len(low) <= _MOST_LETTERS or low in self._counts:
            return low
        least = _SHORT_COUNT if len(low) <= LEAST_LETTERS else 1
        near = [word for word in one_slip_away(low) & self._counts.keys() if self._counts[word] >= least]
        best = max(near, key=lambda word: (self._counts[word], word), default=low)
        chance = self._chance(best) + _SLIP if near else -math.inf
        apart, found = self._apart(low)
        return apart if found > chance else best

    def _spelt_with_digits(self, low: str) -> str:
        if _MEASURE.fullmatch(low):
            return low
        least = 1 if len(low) > LEAST_LETTERS else _SHORT_COUNT if len(low) == LEAST_LETTERS else _PART_COUNTS[2]
        for table in _LETTER_FOR:
            word = low.translate(table)
            if self._counts.get(word, 0) >= least:
                return word
        return low

    def _chance(self, word: str) -> float:
        return math.log(self._counts[word] / self._total)

    def _apart(self, low: str) -> tuple[str, float]:
        """The likeliest reading as several common words run together, and its log probability."""
        best: list[tuple[float, str]] = [(0.0, "")]
        for end in range(1, len(low) + 1):
            here = (-math.inf, "")
            for start in range(max(0, end - 15), end):
                part = low[start:end]
                least = _PART_COUNTS[min(len(part), len(_PART_COUNTS) - 1)]
                if self._counts.get(part, 0) < least or (len(part) == 1 and part not in "ai"):
                    continue
                chance, before = best[start]
                found = chance + self._chance(part) + (_LOST_SPACE if start else 0.0)
                if found > here[0]:
                    here = (found, f"{before} {part}" if before else part)
            best.append(here)
        chance, parts = best[-1]
        return parts, chance


def _starts_sentence(text: str, at: int) -> bool:
    before = text[:at].rstrip(" \"'(")
    return not before or before[-1] in ".?!\n"
