"""Training rows as hurried people type them, so that the model is not taught on clean text alone.

Its own random process and tables: nothing is shared with `proof/perturbations.py`, by which robustness is judged, nor
with the reading aids of `nlu`. Slips come at random distances along the text (geometric), whatever the words are.
"""

from __future__ import annotations

import math
from random import Random

WORDS_PER_SLIP = 9.0
_LETTERS_PER_WORD = 5.0
_SLIP_SHARE = 0.45
_BARE_SHARE = 0.25
_SHORT_SHARE = 0.2
_POLITE_SHARE = 0.12
_JOINED_SHARE = 0.06

_COMMON = "eeeeettttaaaooiinnsshrrdlucmfypwgbvk"
"""Letters about as often as English has them."""
_EAR: dict[str, str] = {
    "a": "eu", "e": "ia", "i": "ey", "o": "ua", "u": "oa", "y": "i", "c": "ks", "k": "c", "s": "cz", "z": "s", "f": "v",
    "v": "f", "g": "j", "j": "g", "m": "n", "n": "m", "d": "t", "t": "d", "b": "p", "p": "b",
}  # fmt: skip
"""Letters written for each other by ear."""

_DROPPED = str.maketrans("", "", ".,?!;:'\"")
_SHORTER: dict[str, tuple[str, ...]] = {
    "account": ("acc", "acct", "accnt"), "accounts": ("accs",), "are": ("r",), "balance": ("bal", "blnce"),
    "because": ("bc", "cos"), "can": ("cn",), "could": ("cud",), "credit": ("cr", "cred"), "deposit": ("dep",),
    "don't": ("dont", "dnt"), "exchange": ("exch",), "for": ("4", "fr"), "from": ("frm",), "have": ("hv",),
    "identity": ("id",), "information": ("info",), "maximum": ("max",), "minimum": ("min",), "minutes": ("mins",),
    "money": ("mny", "cash"), "month": ("mth",), "payment": ("pmt", "paymt"), "please": ("pls", "plz", "plse"),
    "received": ("recd", "rcvd"), "savings": ("savs",), "statement": ("stmnt", "stmt"), "thanks": ("thx", "tks"),
    "that": ("tht",), "the": ("th", "da"), "though": ("tho",), "to": ("2",), "today": ("tday",),
    "tomorrow": ("tmr", "tomoz"), "transaction": ("trans", "trx", "txn"), "transactions": ("trans", "txns"),
    "transfer": ("tfr", "trf", "xfer"), "transferred": ("trfd",), "want": ("wnt",), "was": ("ws",), "week": ("wk",),
    "what": ("wat", "wot"), "when": ("wen",), "why": ("y",), "with": ("w", "wth"), "withdrawal": ("wdrl", "w/d"),
    "you": ("u", "ya"), "your": ("ur", "yr"),
}  # fmt: skip
_BEFORE = (
    "hi", "hey", "hello", "good day", "hi guys", "excuse me", "quick question", "ok so", "hello again", "morning",
    "sorry", "dear bank", "hi, hope all is well", "hey there quick one", "i was wondering", "right so",
)  # fmt: skip
_AFTER = (
    "please", "thanks", "thank you", "cheers", "ta", "please help", "thanks in advance", "much appreciated", "asap",
    "thank u", "let me know", "pls advise", "any help is welcome", "urgent", "kind thanks", "regards",
)  # fmt: skip


def augment(text: str, rng: Random, strength: float = 1.0, *, wrap: bool = True) -> str:
    """The text as another hand might have typed it, often unchanged.

    `strength` scales how often each change comes; 0 returns the text. At 1 close to half of the rows have slips, one
    in WORDS_PER_SLIP words; some lose their punctuation, some words are shortened, some rows are wrapped in a word
    of greeting or thanks: not where `wrap` is false, as for rows that are themselves a greeting or thanks.
    Deterministic for the state of `rng`. An empty text stays empty.
    """
    chance = rng.random
    if not text or strength <= 0:
        return text
    if chance() < _SHORT_SHARE * strength:
        text = _shortened(text, rng)
    if chance() < _BARE_SHARE * strength:
        text = text.translate(_DROPPED) or text
    if chance() < _SLIP_SHARE * strength:
        text = _slips(text, rng, WORDS_PER_SLIP * _LETTERS_PER_WORD / max(strength, 0.1))
    if chance() < _JOINED_SHARE * strength:
        text = _joined(text, rng)
    if wrap and chance() < _POLITE_SHARE * strength:
        text = _polite(text, rng)
    return text


def _slips(text: str, rng: Random, distance: float) -> str:
    """Letters lost, swapped, repeated, exchanged by ear or at random, `distance` characters apart on average."""
    chance = rng.random
    at = int(-math.log(1.0 - chance()) * distance)
    if at >= len(text):
        at = int(chance() * len(text))
    while at < len(text):
        letter = text[at]
        if letter.isalpha():
            text = text[:at] + _slip(letter, text[at + 1 : at + 2], rng) + text[at + 2 :]
        at += 2 + int(-math.log(1.0 - chance()) * distance)
    return text


def _slip(letter: str, following: str, rng: Random) -> str:
    """What comes of a letter and the character after it."""
    kind = rng.random()
    if kind < 0.24:
        return following
    if kind < 0.44:
        return following + letter if following.isalpha() else letter * 2 + following
    if kind < 0.62:
        return letter * (2 if kind < 0.58 else 4) + following
    pool = _EAR.get(letter, _COMMON) if kind < 0.76 else _COMMON
    other = pool[int(rng.random() * len(pool))]
    return other + following if kind < 0.9 else letter + other + following


def _shortened(text: str, rng: Random) -> str:
    words = text.split(" ")
    for place, word in enumerate(words):
        forms = _SHORTER.get(word.lower())
        if forms and rng.random() < 0.6:
            words[place] = forms[int(rng.random() * len(forms))]
    return " ".join(words)


def _joined(text: str, rng: Random) -> str:
    """One space, sometimes two, forgotten."""
    for _ in range(1 if rng.random() < 0.7 else 2):
        at = text.find(" ", int(rng.random() * len(text)))
        if at > 0:
            text = text[:at] + text[at + 1 :]
    return text


def _polite(text: str, rng: Random) -> str:
    where = rng.random()
    if where < 0.7:
        text = _BEFORE[int(rng.random() * len(_BEFORE))] + (", " if where < 0.35 else " ") + text
    if where > 0.35:
        text += (" " if where < 0.8 else ". ") + _AFTER[int(rng.random() * len(_AFTER))]
    return text
