"""Requests that no intent of the model stands for, told by their words alone: of planned payments and card limits.

Each rule looks for its verb where a message begins, so that what is quoted, negated or asked about begins nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

CANCEL_SCHEDULE, CARD_LIMITS = "cancel_schedule", "card_limits"
"""Names of requests that start a flow as an intent does."""
PLANNED_PAYMENTS = "schedule_payment"
"""The intent that a question about planned payments is reported as."""
MAX_CHARS = 200

_LEAD = (
    r"^\W*(?:(?:please|pls|and|also|then|now|ok|okay|hi|hello|hey|can you|could you|would you|will you|"
    r"i want to|i wanna|i need to|i would like to|i['\u2019]d like to|let['\u2019]?s)\b\W*)*"
)
_PLANNED = r"(?:planned|scheduled|upcoming|future|recurring|repeating|regular|weekly|monthly|yearly)"
_PAYMENTS = r"(?:payments?|transfers?|bills?)"
_THINGS = (
    rf"(?:\b{_PLANNED}\s+(?:[\w'\u2019&-]+\s+){{0,3}}?{_PAYMENTS}\b|\bstanding\s+orders?\b"
    rf"|\b{_PAYMENTS}\s+(?:[\w'\u2019&-]+\s+){{0,5}}?(?:planned|scheduled)\b)"
)
_ENDS = re.compile(
    rf"{_LEAD}(?:cancel|stop|end|delete|remove|call off|drop|terminate|get rid of)\b[^?]*?{_THINGS}", re.IGNORECASE
)
_LIMITS = re.compile(
    r"^(?=.*\b(?:daily|(?:a|per|each|every) day)\b)(?=.*\b(?:limit|cap)\b)(?=.*\bcards?\b)"
    rf"{_LEAD}(?:set|change|raise|increase|lower|reduce|decrease|limit|cap|put|make|update)\b",
    re.IGNORECASE | re.DOTALL,
)
_OTHER_LIMIT = re.compile(
    r"\b(?:transfers?|payments?|atm|cash|withdraw\w*|credit limit|credit line|pin|virtual|disposable)\b", re.IGNORECASE
)
_ASKS = re.compile(
    r"^\W*(?:(?:please|and|also|then|ok|okay|hi|hello|hey)\b\W*)*"
    r"(?:(?:can|could|would|will) you (?:please )?(?:show|list|tell)|(?:can|could|may) i (?:please )?see|show|list"
    r"|tell me|view|see|give me|let me see|i (?:want|need|would like) to see|i['\u2019]d like to see"
    r"|what(?:['\u2019]s)?|which|do i have|have i|are there|are any|is there|any|when(?:['\u2019]s)?|my)\b",
    re.IGNORECASE,
)
_ASKED_OF = re.compile(rf"{_THINGS}|\b(?:anything|what(?:['\u2019]s| is)) (?:planned|scheduled)\b", re.IGNORECASE)
_NEXT = re.compile(
    rf"^\W*(?:and\b\W*)?(?:when|what)\b.*\bnext\s+(?:(?:standing\s+order|{_PLANNED}\s+{_PAYMENTS})\b"
    r"|(?:payment|transfer)\s+(?:to|for)\b)",
    re.IGNORECASE,
)
_NOT_ASKED = re.compile(
    r"\b(?:cancel\w*|stop\w*|delete\w*|remove\w*|end|change\w*|edit|create|add|make|made|use|how|why|where|fees?|costs?"
    r"|charged?|loans?|mortgages?|borrow\w*|would|fail\w*|declin\w*|mean|means|what(?:['\u2019]s| is| are) (?:an? )?"
    rf"(?:standing orders?|{_PLANNED} {_PAYMENTS})"
    r"|set up an?)\b",
    re.IGNORECASE,
)


def request_of(text: str) -> str | None:
    """The request that a text makes by its words, one of `REQUESTS`; None where it makes none of them."""
    if len(text) > MAX_CHARS:
        return None
    return next((name for name, rule in REQUESTS.items() if rule.search(text) and not _other(name, text)), None)


def asks_for_planned(text: str) -> bool:
    """Whether a text asks which payments are planned, or when the next one to somebody is."""
    if len(text) > MAX_CHARS:
        return False
    if _NEXT.search(text):
        return True
    return bool(_ASKS.search(text) and _ASKED_OF.search(text)) and not _NOT_ASKED.search(text)


def _other(name: str, text: str) -> bool:
    """Whether a text is about another limit than a card's for a day."""
    return name == CARD_LIMITS and _OTHER_LIMIT.search(text) is not None


REQUESTS: Mapping[str, re.Pattern[str]] = {CANCEL_SCHEDULE: _ENDS, CARD_LIMITS: _LIMITS}
