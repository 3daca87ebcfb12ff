"""What the customer's own things are called: accounts, cards and bills."""

from __future__ import annotations

from typing import Any

from llm_banking.nlu.slots import lexicon
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.slots.tokens import Found, Words

_ACCOUNT_PHRASES = (
    ("savings account", "savings"),
    ("saving account", "savings"),
    ("savings acct", "savings"),
    ("saving balance", "savings"),
    ("savings", "savings"),
    ("checking account", "checking"),
    ("checkings account", "checking"),
    ("chequing account", "checking"),
    ("current account", "checking"),
    ("everyday account", "checking"),
    ("everyday balance", "checking"),
    ("checking acct", "checking"),
    ("checkings", "checking"),
    ("chequing", "checking"),
    ("checking", "checking"),
    ("credit card account", "credit_card"),
    ("credit card", "credit_card"),
    ("creditcard", "credit_card"),
    ("rewards card", "credit_card"),
    ("student loan", "loan"),
    ("personal loan", "loan"),
    ("car loan", "loan"),
    ("auto loan", "loan"),
    ("home loan", "loan"),
    ("loan account", "loan"),
    ("loan", "loan"),
    ("mortgage", "loan"),
)
_ACCOUNTS: dict[str, list[tuple[str, str]]] = {}
for _phrase, _kind in _ACCOUNT_PHRASES:
    _ACCOUNTS.setdefault(_phrase.split(" ", 1)[0], []).append((_phrase, _kind))

_SOURCES = frozenset(["from", "using", "with"])
_TARGETS = word_set("to into onto towards toward off")
_SERVICED = word_set(
    "block blocked unblock freeze frozen unfreeze lost stolen lose activate replace replacement pin expired expire "
    "expires order apply application new declined broken damaged swallowed contactless cancel card's"
)
"""Words by which "credit card" means the piece of plastic and not the account behind it."""
_SCHEMES = word_set("visa mastercard amex maestro")
_CARD_KINDS = {"debit": "debit", "atm": "debit", "credit": "credit"}
_NOT_ACCOUNT = word_set("my the on if whether in your that this out up what how for with about it")
_OWNED = word_set("my our the this his her their your")


def _direction(words: Words, index: int) -> str | None:
    """Where money goes by the preposition before a phrase: "source", "target", or None."""
    at = index - 1
    for _ in range(3):
        if words.low(at) not in lexicon.DETERMINERS and words.low(at) not in ("'s", "own", "joint", "other"):
            break
        at -= 1
    if words.low(at) in _SOURCES or (words.low(at) == "of" and words.low(at - 1) == "out"):
        return "source"
    return "target" if words.low(at) in _TARGETS else None


def _last4(words: Words, index: int) -> tuple[str, int] | None:
    """Read "ending in 4144", "x4144", "...4144", "(4144)", "number 4144": four digits and the index after them."""
    at = words.skip(index, ",", "(", "-", "that", "which")
    at = words.skip(at, "ending", "ends", "ended", "number", "no", "x", "xx", "xxx", "xxxx", "with", "last", "#")
    for filler in ("in", "with", "is", "four", "4", "digits", "are", "#"):
        at = words.skip(at, filler)
    for _ in range(12):
        at = words.skip(at, ".", "*", "\u2026", "\u2022", "x")
    low = words.digits(at)
    if len(low) != 4:
        return None
    nearby = words.kind(at + 1) == "number" or words.low(at + 1) in ("dollars", "$", "bucks", "usd", "euros", "pounds")
    runs_on = words.touches(at + 1) and words.kind(at + 1) == "word"
    return None if nearby or runs_on else (low, at + 1)


def read_account(words: Words, index: int) -> Found | None:
    """An account by kind, last four digits, or both, with the role its preposition gives it.

    The value is {"kind": "checking" | "savings" | "credit_card" | "loan" | None, "last4"?, "role"?}; the kind is None
    only where digits name the account.
    """
    kind, end = _account_kind(words, index)
    if end == index:
        return None
    value: dict[str, Any] = {"kind": kind}
    role = _direction(words, index)
    digits = _last4(words, end)
    if digits:
        value["last4"], end = digits
    if kind is None and not digits:
        return None
    if role:
        value["role"] = role
    return Found("account", value, index, end) if words.alone(index, end) else None


def _account_kind(words: Words, index: int) -> tuple[str | None, int]:
    low = words.low(index)
    if low in ("account", "acct"):
        return None, index + 1
    for phrase, kind in _ACCOUNTS.get(low, ()):
        end = words.match(index, phrase)
        if end == index:
            continue
        if phrase == "checking" and not _names_checking(words, index):
            return None, index
        if phrase == "credit card" and _plastic(words, end):
            return None, index
        if kind == "loan" and phrase != "loan account" and not _own_loan(words, index):
            return None, index
        return kind, words.skip(end, "account", "acct")
    return None, index


def _names_checking(words: Words, index: int) -> bool:
    """Whether "checking" alone is the account and not the verb."""
    last = words.low(index - 1)
    if last in _SOURCES | _TARGETS | {"my", "your", "our", "and", "or"} and words.low(index + 1) not in _NOT_ACCOUNT - {
        "for"
    }:
        return not (last in ("and", "or") and not words.lows & {"savings", "account", "accounts"})
    if words.low(index + 1) in _NOT_ACCOUNT:
        return last == "my"
    if last == "for":
        return words.low(index - 2) not in ("thanks", "you", "thank", "thx")
    return last not in ("just", "am", "i'm", "im", "was", "keep", "been", "still", "is")


def _plastic(words: Words, end: int) -> bool:
    """Whether "credit card" is the card itself."""
    return bool(words.lows & _SERVICED) and words.low(end) not in ("account", "balance")


def _own_loan(words: Words, index: int) -> bool:
    """Whether a loan or mortgage is one the customer has."""
    return words.low(index - 1) in _OWNED or _direction(words, index) is not None


def read_card(words: Words, index: int) -> Found | None:
    """A card by kind or last four digits: {"kind": "debit" | "credit" | None, "last4"?}. plain "card" is none."""
    low = words.low(index)
    kind = _CARD_KINDS.get(low)
    end = index + 1 if kind or low in _SCHEMES else index
    if kind is None and end > index:
        kind = _CARD_KINDS.get(words.low(end))
        end += kind is not None
    named = words.skip(end, "card")
    if named == index or (kind and named == end):
        return None
    digits = _last4(words, named)
    if kind is None and digits is None:
        return None
    value: dict[str, Any] = {"kind": kind}
    if digits:
        value["last4"], named = digits
    return Found("card", value, index, named) if words.alone(index, named) else None


def read_ending(words: Words, index: int) -> Found | None:
    """Read "the one ending in 4144": an account where money comes from it or goes to it, a card otherwise."""
    if words.low(index) not in ("ending", "ends"):
        return None
    digits = _last4(words, index)
    if digits is None:
        return None
    one = index - 1 if words.low(index - 1) in ("one", "that") else index
    role = _direction(words, one)
    value: dict[str, Any] = {"kind": None, "last4": digits[0]}
    if role:
        return Found("account", value | {"role": role}, index, digits[1])
    return Found("card", value, index, digits[1])


_BILLS = {
    word: canonical
    for canonical, names in {
        "electricity": "electricity electric electrical power energy",
        "gas": "gas heating",
        "water": "water sewer",
        "internet": "internet wifi wi broadband",
        "phone": "phone telephone mobile cell cellphone",
        "cable": "cable tv television",
        "rent": "rent",
        "insurance": "insurance",
        "mortgage": "mortgage",
        "utilities": "utility utilities",
        "waste": "trash garbage waste",
        "tuition": "tuition",
        "tax": "tax council",
        "credit_card": "credit",
    }.items()
    for word in names.split()
}
_PLAIN = frozenset(["electricity", "broadband"])
"""Bills that are one in any sentence; the others need "bill" after them or a payment before."""
_PAID = word_set("pay paying paid owe settle")
_QUALIFIERS = word_set("car auto health home life travel house apartment property")


def read_bill(words: Words, index: int) -> Found | None:
    """A kind of bill, as one word of a closed list."""
    low = words.low(index)
    at = index + 1 if low in _QUALIFIERS and words.low(index + 1) in ("insurance", "tax") else index
    canonical = _BILLS.get(words.low(at))
    if canonical is None:
        return None
    end = words.skip(at + 1, "-") if words.low(at) == "wi" else at + 1
    for follower, word in (
        ("fi", "wi"),
        ("card", "credit"),
        ("phone", "cell"),
        ("phone", "mobile"),
        ("tax", "council"),
    ):
        end += words.low(at) == word and words.low(end) == follower
    billed = words.low(end) in ("bill", "bills")
    if billed or _listed(words, end):
        end += billed
    elif canonical in ("credit_card", "mortgage") or not (words.low(at) in _PLAIN or _being_paid(words, index, end)):
        return None
    return Found("bill_type", canonical, index, end) if words.alone(index, end) else None


def _listed(words: Words, end: int) -> bool:
    """The gas of "gas and electric bills"."""
    return (
        words.low(end) in ("and", "&", ",") and words.low(end + 1) in _BILLS and words.low(end + 2) in ("bill", "bills")
    )


def _being_paid(words: Words, index: int, end: int) -> bool:
    """Whether a payment goes to the word: "pay my rent", "rent payment", "for rent"."""
    if words.low(end) in ("payment", "payments"):
        return True
    before = [words.low(at) for at in range(max(index - 4, 0), index)]
    paid = any(low in _PAID for low in before) or (before[-1:] == ["for"] and bool(words.lows & lexicon.MONEY_VERBS))
    return paid and (words.ends(end) or words.low(end) in lexicon.FOLLOWERS)
