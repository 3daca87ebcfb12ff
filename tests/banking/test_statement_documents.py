"""Statements as files: what they say adds up, and they say it the same each time."""

from __future__ import annotations

import csv
import re
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.banking.statement_documents import as_csv, as_pdf
from llm_banking.banking.statements import Month, Statement, StatementLine
from llm_banking.kit.money import Money


def statement(rows: list[tuple[int, str]], opening: int = 12_345, currency: str = "USD") -> Statement:
    balance, lines = Money(opening, currency), []
    for number, (amount_minor, description) in enumerate(rows):
        amount = Money(amount_minor, currency)
        balance += amount
        at = datetime(2026, 10, 1 + number % 31, 9, tzinfo=UTC)
        lines.append(StatementLine(UUID(int=number), at, description, amount, balance))
    return Statement(
        account_name="Everyday Checking",
        number_last4="4711",
        month=Month.parse("2026-10"),
        opening=Money(opening, currency),
        lines=tuple(lines),
        closing=balance,
        last_day=date(2026, 10, 31),
        complete=True,
    )


def pdf_of(one: Statement, holder: str = "Zoe Quill") -> bytes:
    return as_pdf(one, bank="Harborlight Bank", holder=holder)


FOOT_PT = 50


def streams_of(pdf: bytes) -> list[bytes]:
    """What each page draws."""
    return [zlib.decompress(one) for one in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)]


def heights_of(drawn: bytes) -> list[int]:
    """The height above the page's foot of each line of text, in points."""
    found, y = [], 0
    for operation in re.findall(rb"^(?:.* (\d+) Tm|0 (-\d+) Td|.*( )Tj)$", drawn, re.MULTILINE):
        top, down, shown = operation
        y = int(top) if top else y + int(down or 0)
        found += [y] if shown else []
    return found


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, a line for each that is drawn."""
    found = []
    for stream in streams_of(pdf):
        drawn = re.findall(rb"^\((.*)\) Tj$", stream, re.MULTILINE)
        found.append("\n".join(re.sub(rb"\\([\\()])", rb"\1", one).decode("cp1252") for one in drawn))
    return found


def figures_of(pdf: bytes) -> tuple[Decimal, list[Decimal], Decimal]:
    """Opening balance, amounts and closing balance, read back from the pages."""
    lines = [line for page in pages_of(pdf) for line in page.split("\n") if re.match(r"\d{4}-\d\d-\d\d  ", line)]
    first, *rows, last = lines
    return Decimal(first.split()[-1]), [Decimal(row.split()[-2]) for row in rows], Decimal(last.split()[-1])


DESCRIPTIONS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=200)
ROWS = st.lists(st.tuples(st.integers(-(10**9), 10**9).filter(bool), DESCRIPTIONS), max_size=12)


@given(ROWS, st.sampled_from(["USD", "JPY", "KWD"]))
def test_both_files_reconcile_whatever_the_descriptions_are(rows: list[tuple[int, str]], currency: str) -> None:
    one = statement(rows, currency=currency)
    read = list(csv.DictReader(StringIO(as_csv(one).decode(), newline="")))
    opening, *lines, closing = read
    assert Decimal(opening["balance"]) + sum(Decimal(row["amount"]) for row in lines) == Decimal(closing["balance"])
    assert [row["reference"] for row in lines] == [str(line.id) for line in one.lines]
    assert not any(row["description"].startswith(("=", "+", "-", "@", "\t", "\r")) for row in lines)
    first, amounts, last = figures_of(pdf_of(one))
    assert first + sum(amounts) == last == Decimal(one.closing.as_decimal_string())
    assert len(amounts) == len(rows)


def test_the_csv_word_by_word() -> None:
    one = statement([(-1_250, 'Coffee, "large"'), (5_000, "=HYPERLINK(1)")])
    assert as_csv(one).decode().split("\r\n") == [
        "date,description,amount,balance,currency,reference",
        "2026-10-01,Opening balance,,123.45,USD,",
        '2026-10-01,"Coffee, ""large""",-12.50,110.95,USD,00000000-0000-0000-0000-000000000000',
        "2026-10-02,'=HYPERLINK(1),50.00,160.95,USD,00000000-0000-0000-0000-000000000001",
        "2026-10-31,Closing balance,,160.95,USD,",
        "",
    ]


def test_the_pdf_says_whose_it_is_and_is_the_same_each_time() -> None:
    one = statement([(-1_250, "Coffee (large) \\ small")])
    pdf = pdf_of(one)
    assert pdf == pdf_of(one)
    assert pdf.startswith(b"%PDF-1.7")
    (page,) = pages_of(pdf)
    for words in (
        "Harborlight Bank: account statement",
        "Zoe Quill",
        "4711",
        "2026-10-01 to 2026-10-31",
        "Page 1 of 1",
    ):
        assert words in page
    assert "Coffee (large) \\ small" in page


def test_a_month_that_still_runs_is_not_said_to_be_closed() -> None:
    running = replace(statement([(-1_250, "Coffee")]), last_day=date(2026, 10, 5), complete=False)
    assert "2026-10-05,Balance so far,,110.95,USD," in as_csv(running).decode()
    (page,) = pages_of(pdf_of(running))
    assert "2026-10-01 to 2026-10-05" in page
    assert "Balance so far" in page
    assert "Closing" not in page


def test_a_long_month_has_pages_and_each_row_is_on_one_of_them() -> None:
    one = statement([(100 + number, f"row {number} " + "and so on " * 12) for number in range(200)])
    pages = pages_of(pdf_of(one))
    assert len(pages) > 4
    text = "\n".join(pages)
    assert all(len(re.findall(rf"\brow {number}\b", text)) == 1 for number in range(200))
    assert f"Page {len(pages)} of {len(pages)}" in pages[-1]
    assert max(len(line) for line in text.split("\n")) <= 91
    for pdf_page in streams_of(pdf_of(one)):
        assert min(y for y in heights_of(pdf_page) if y != FOOT_PT) > FOOT_PT + 9, "no row is written over the number"


@pytest.mark.parametrize(
    ("holder", "shown"),
    [("Zoë Müller", "Zoë Müller"), ("Zoe\u0308", "Zoë"), ("Dvořák", "Dvorák"), ("李 Wei", "? Wei"), ("a\x00b", "a b")],
)
def test_letters_that_the_fonts_lack(holder: str, shown: str) -> None:
    (page,) = pages_of(pdf_of(statement([]), holder))
    assert page.split("\n")[1] == shown
