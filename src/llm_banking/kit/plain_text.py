"""Text that people are shown beside an amount: it must not be able to look like something else."""

from __future__ import annotations

import unicodedata

from llm_banking.kit.errors import LlmBankingError

NO_CLOSING_QUOTE = {ord(one): '"' for one in "“”„‟″"}
"""The text shown puts other people's words between curly quotes, and they must not end them."""


class PlainTextError(LlmBankingError):
    """A text that could mislead whoever reads it."""

    code = "INVALID_REQUEST"


def plain(text: str, *, most_chars: int) -> str:
    """The text in NFC with single spaces.

    Raises PlainTextError where it is empty or too long, or holds what is not seen: controls, line ends, marks of
    direction and other characters of the Unicode categories C, Zl and Zp.
    """
    if any(unicodedata.category(one)[0] == "C" or unicodedata.category(one) in ("Zl", "Zp") for one in text):
        raise PlainTextError("A name or a note holds characters that are not seen. Write it on one line, without them.")
    found = " ".join(unicodedata.normalize("NFC", text).split())
    if not 0 < len(found) <= most_chars:
        raise PlainTextError(f"A name or a note has 1 to {most_chars} characters.")
    return found


def quotable(text: str, *, most_chars: int) -> str:
    """What somebody else wrote, as it may stand between curly quotes: cut, on one line, without what is not seen.

    It cannot end the quotes and go on as if it were the bank.
    """
    seen = "".join(one if unicodedata.category(one)[0] not in "CZ" else " " for one in text)
    return " ".join(unicodedata.normalize("NFC", seen).split()).translate(NO_CLOSING_QUOTE)[:most_chars].strip()
