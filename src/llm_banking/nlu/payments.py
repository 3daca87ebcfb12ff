"""Payments by their form: so much to somebody, or somebody so much, with a verb or with that of a payment before it."""

from __future__ import annotations

import re

PAYS = "pay|send|transfer|move|wire|give|put"
"""The verbs of a payment."""
_AMOUNT = (
    r"(?:[$€£]\s?)?(?:\d[\d,]*(?:\.\d+)?k?|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[ -]\w+)?|ten"
    r"|fifteen|(?:a|one|two|three|four|five) hundred)(?:\s?(?:dollars?|bucks|euros?|pounds?|usd|eur|gbp))?"
)
_NO_NAME = (
    rf"(?:{PAYS}|add|plus|minus|another|more|less|no|not|nope|make|made|actually|account|acct|ending|number|card|note"
    r"|memo|reference|sorry|or|rather|instead"
    r"|it|its|that|this|them|is|was|were|be|by|at|in|than|about|only|just|until|before|after|i|you|he|she|they|we|have"
    r"|had|has|owe|me|and|to|from|with|using|on|wait|oh|use|say|saying|limit|over|under|above|below|up|least|most|of)\b"
)
_WORD = rf"(?!{_NO_NAME})[^\W\d][\w'\u2019&-]*"
_NAME = rf"(?:(?:to|for|my|the|our)\s+)*(?P<name>{_WORD}(?:\s+{_WORD}){{0,3}})"
_END = (
    r"(?=\s*(?:\Z|[;!?&+\n]|[.,](?!\d))|\s+(?:and|then|plus|also|from|with|using|out|please|pls|too|now|today|as|for|on"
    r"|tomorrow|next|every|this)\b)"
)
_NAME_AMOUNT = rf"{_NAME}\s+(?:of\s+)?(?P<amount>{_AMOUNT}){_END}"
_PAYMENT = re.compile(
    rf"\b(?:{PAYS})\s+(?:{_AMOUNT}\s+(?:from\s+(?:\w+\s+){{1,4}})?(?:to|for|on|into|towards?)\s+(?!be\b)\w"
    rf"|{_NAME_AMOUNT})",
    re.IGNORECASE,
)
_WITHOUT_VERB = re.compile(
    rf"\W{{0,2}}(?:(?P<first>{_AMOUNT})\s+(?:to|on|into|towards?)\s+(?!be\b)\w|{_NAME_AMOUNT})", re.IGNORECASE
)
QUOTED = re.compile(r"[\"“][^\"“”]{1,300}[\"”]")
"""What somebody else said, or shall read, is no request of the customer's."""
_BEFORE_WORDS_OF_OTHERS = re.compile(r"\b(?:note|memo|reference|message|saying|says?)\b|[\"“]", re.IGNORECASE)
_TAKES_BACK = re.compile(
    r"\b(?:no|nope|not|actually|sorry|wait|rather|instead|correction|i mean|i meant)\b", re.IGNORECASE
)


def where_more_may_follow(text: str) -> tuple[int, int] | None:
    """The stretch after the first payment that is told with its verb and before words that the customer quotes."""
    found = _PAYMENT.search(text)
    if found is None:
        return None
    quoted = _BEFORE_WORDS_OF_OTHERS.search(text)
    return found.end(), quoted.start() if quoted else len(text)


def opens_payment(text: str, at: int = 0) -> bool:
    """Whether a payment with its verb begins at a place."""
    return _PAYMENT.match(text, at) is not None


def goes_on_paying(text: str, at: int = 0) -> re.Match[str] | None:
    """A payment without a verb that begins at a place. Groups `name` and `amount` where the name stands first."""
    return _WITHOUT_VERB.match(text, at)


def without_quoted_payments(text: str) -> str:
    """A text of the same length in which every quotation that tells of a payment is blank."""
    return QUOTED.sub(lambda told: " " * len(told[0]) if _PAYMENT.search(told[0]) else told[0], text)


def only_quotes_a_payment(text: str) -> bool:
    """Whether the payments of a text are all told in quotation marks."""
    own = without_quoted_payments(text)
    return own != text and not re.search(rf"\b(?:{PAYS})\b", own, re.IGNORECASE)


def spans_of_payment(text: str) -> dict[str, tuple[int, int]]:
    """Where `name` and `amount` of a payment stand, as far as its form alone tells: with its verb, or at the beginning.

    Of an amount that stands first only that is told, and only without a verb: a verb is enough for a reader.
    """
    found = _PAYMENT.search(text) or _WITHOUT_VERB.match(text)
    groups = found.groupdict() if found else {}
    names = {"name": "name", "amount": "amount", "first": "amount"}
    return {names[group]: found.span(group) for group, words in groups.items() if found and words is not None}


def takes_back(text: str) -> bool:
    """Whether words take back what was said before them, so that what follows stands in its place."""
    return _TAKES_BACK.search(text) is not None
