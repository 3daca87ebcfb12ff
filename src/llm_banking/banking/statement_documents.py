"""A statement as a CSV file (RFC 4180) and as a PDF (ISO 32000-1). The same statement gives the same bytes."""

from __future__ import annotations

import csv
import textwrap
import unicodedata
from collections.abc import Iterator
from datetime import date
from io import BytesIO, StringIO

import pydyf

from llm_banking.banking.statements import Statement
from llm_banking.kit.money import Money

CSV_HEAD = ("date", "description", "amount", "balance", "currency", "reference")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_WIDTH_PT, _HEIGHT_PT, _MARGIN_PT = 595, 842, 50
_SIZE_PT, _LEADING_PT = 9, 13
_TITLE_PT = 14
_DESCRIPTION, _AMOUNT = 42, 17
"""Characters. With a date of ten and the gaps a row has 91, which is what the page is wide."""
_HEAD = 6
"""Lines above the rows of a page."""
_ROWS = (_HEIGHT_PT - 2 * _MARGIN_PT - 4 * _LEADING_PT) // _LEADING_PT - _HEAD
"""Of one page; the title and the page's number have two lines each."""


def as_csv(statement: Statement) -> bytes:
    """UTF-8: the opening balance, a row for each posting, the closing balance.

    A description that a spreadsheet would run as a formula begins with an apostrophe (OWASP, CSV injection).
    """
    file = StringIO(newline="")
    rows = csv.writer(file)
    currency, first_day = statement.opening.currency, statement.month.first_day
    rows.writerow(CSV_HEAD)
    rows.writerow((first_day, "Opening balance", "", statement.opening.as_decimal_string(), currency, ""))
    for line in statement.lines:
        amount, balance = line.amount.as_decimal_string(), line.balance.as_decimal_string()
        rows.writerow((line.booked_at.date(), _inert(line.description), amount, balance, currency, line.id))
    rows.writerow((statement.last_day, _last(statement), "", statement.closing.as_decimal_string(), currency, ""))
    return file.getvalue().encode()


def _last(statement: Statement) -> str:
    return "Closing balance" if statement.complete else "Balance so far"


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_pdf(statement: Statement, *, bank: str, holder: str) -> bytes:
    """A4 pages in the reader's own Courier and Helvetica, which have the letters of western Europe.

    Other letters are shown without their accents, or as "?" where that gives none; the CSV has them all.
    """
    rows = list(_rows(statement))
    pages = [rows[first : first + _ROWS] for first in range(0, len(rows), _ROWS)]
    pdf = pydyf.PDF()
    fonts = pydyf.Dictionary({name: _font(pdf, base) for name, base in (("T", "Courier"), ("H", "Helvetica-Bold"))})
    head = _head(statement, holder)
    for number, page in enumerate(pages, start=1):
        stream = pydyf.Stream(compress=True)
        _draw(stream, "H", _TITLE_PT, _HEIGHT_PT - _MARGIN_PT, [_shown(f"{bank}: account statement")])
        _draw(stream, "T", _SIZE_PT, _HEIGHT_PT - _MARGIN_PT - 2 * _LEADING_PT, [*head, *page])
        _draw(stream, "T", _SIZE_PT, _MARGIN_PT, [f"Page {number} of {len(pages)}"])
        pdf.add_object(stream)
        pdf.add_page(
            pydyf.Dictionary(
                {
                    "Type": "/Page",
                    "Parent": pdf.pages.reference,
                    "MediaBox": pydyf.Array([0, 0, _WIDTH_PT, _HEIGHT_PT]),
                    "Contents": stream.reference,
                    "Resources": pydyf.Dictionary({"Font": fonts}),
                }
            )
        )
    pdf.catalog["Lang"] = pydyf.String("en")
    pdf.info["Title"] = pydyf.String(f"Account statement {statement.month}")
    file = BytesIO()
    pdf.write(file)
    return file.getvalue()


def _head(statement: Statement, holder: str) -> list[str]:
    return [
        f"{_shown(holder)}",
        f"{_shown(statement.account_name)}, number ending in {statement.number_last4}",
        f"{statement.month.first_day} to {statement.last_day}, amounts in {statement.opening.currency}",
        "",
        _row("Date", "Description", "Amount", "Balance"),
        "-" * len(_row("", "", "", "")),
    ]


def _rows(statement: Statement) -> Iterator[str]:
    yield _row(statement.month.first_day, "Opening balance", "", statement.opening)
    for line in statement.lines:
        first, *more = textwrap.wrap(_shown(line.description), _DESCRIPTION) or [""]
        yield _row(line.booked_at.date(), first, line.amount, line.balance)
        yield from (_row("", words, "", "") for words in more)
    yield _row(statement.last_day, _last(statement), "", statement.closing)
    yield ""
    yield _row("", "Money in", statement.money_in, "")
    yield _row("", "Money out", statement.money_out, "")


def _row(day: date | str, description: str, amount: Money | str, balance: Money | str) -> str:
    written = [one if isinstance(one, str) else one.as_decimal_string() for one in (amount, balance)]
    return f"{day!s:<10}  {description:<{_DESCRIPTION}}  {written[0]:>{_AMOUNT}} {written[1]:>{_AMOUNT}}"


def _shown(text: str) -> str:
    """The text in letters that the fonts have."""
    return "".join(_letter(one) for one in unicodedata.normalize("NFC", text))


def _letter(one: str) -> str:
    if unicodedata.category(one).startswith("C"):
        return " "
    for form in (one, unicodedata.normalize("NFKD", one)[0]):
        try:
            form.encode("cp1252")
        except UnicodeEncodeError:
            continue
        return form
    return "?"


def _font(pdf: pydyf.PDF, base: str) -> bytes:
    font = pydyf.Dictionary(
        {"Type": "/Font", "Subtype": "/Type1", "BaseFont": f"/{base}", "Encoding": "/WinAnsiEncoding"}
    )
    pdf.add_object(font)
    reference: bytes = font.reference
    return reference


def _draw(stream: pydyf.Stream, font: str, size_pt: int, top_pt: int, lines: list[str]) -> None:
    stream.begin_text()
    stream.set_font_size(font, size_pt)
    stream.set_text_matrix(1, 0, 0, 1, _MARGIN_PT, top_pt)
    for line in lines:
        stream.show_text_string(line.encode("cp1252"))
        stream.move_text_to(0, -_LEADING_PT)
    stream.end_text()
