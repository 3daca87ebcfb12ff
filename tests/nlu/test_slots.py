"""Slots: what the rules read and what they leave alone. Today is Saturday 21 November 2026."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from llm_banking.nlu import slots as rules
from llm_banking.nlu.slots import MAX_CHARACTERS, Prefer, Slot, find_slots

TODAY = date(2026, 11, 21)


def found(text: str, name: str, **options: Any) -> list[tuple[str, Any]]:
    return [(slot.text, slot.value) for slot in find_slots(text, today=TODAY, **options) if slot.name == name]


AMOUNTS = [
    ("send $50 to Alice", "$50", "50.00", "USD"),
    ("send 50 dollars", "50 dollars", "50.00", "USD"),
    ("fifty bucks", "fifty bucks", "50.00", "USD"),
    ("SEND FIFTY BUCKS TO BOB", "FIFTY BUCKS", "50.00", "USD"),
    ("pay 1,200.50 USD now", "1,200.50 USD", "1200.50", "USD"),
    ("USD 75.5 please", "USD 75.5", "75.50", "USD"),
    ("US$ 20", "US$ 20", "20.00", "USD"),
    ("$50 dollars", "$50 dollars", "50.00", "USD"),
    ("it was two hundred and fifty dollars", "two hundred and fifty dollars", "250.00", "USD"),
    ("€20", "€20", "20.00", "EUR"),
    ("that 40€ back", "40€", "40.00", "EUR"),
    ("4004$", "4004$", "4004.00", "USD"),
    ("20 quid", "20 quid", "20.00", "GBP"),
    ("20 pounds sterling", "20 pounds sterling", "20.00", "GBP"),
    ("554.2 euros", "554.2 euros", "554.20", "EUR"),
    ("3000 yen", "3000 yen", "3000", "JPY"),
    ("1.250 dinars", "1.250 dinars", "1.250", "KWD"),
    ("a hundred dollars", "a hundred dollars", "100.00", "USD"),
    ("send hundred dollars", "hundred dollars", "100.00", "USD"),
    ("move 2k to savings", "2k", "2000.00", "USD"),
    ("two grand", "two grand", "2000.00", "USD"),
    ("$1.5 million", "$1.5 million", "1500000.00", "USD"),
    ("$2bn", "$2bn", "2000000000.00", "USD"),
    ("three million dollars", "three million dollars", "3000000.00", "USD"),
    ("half a million dollars", "half a million dollars", "500000.00", "USD"),
    ("two and a half thousand dollars", "two and a half thousand dollars", "2500.00", "USD"),
    ("two point five thousand dollars", "two point five thousand dollars", "2500.00", "USD"),
    ("fifteen hundred dollars", "fifteen hundred dollars", "1500.00", "USD"),
    ("twenty-five dollars", "twenty-five dollars", "25.00", "USD"),
    ("one thousand six hundred and twenty bucks", "one thousand six hundred and twenty bucks", "1620.00", "USD"),
    ("5 dollars and 20 cents", "5 dollars and 20 cents", "5.20", "USD"),
    ("50 cents", "50 cents", "0.50", "USD"),
    ("50p", "50p", "0.50", "GBP"),
    ("lend me a dollar", "a dollar", "1.00", "USD"),
    ("transfer 1 200 dollars", "1 200 dollars", "1200.00", "USD"),
    ("send €3,50 to Bob", "€3,50", "3.50", "EUR"),
    ("a 200 dollar transfer", "200 dollar", "200.00", "USD"),
    ("send 50 to Alice", "50", "50.00", "USD"),
    ("transfer 200 from savings", "200", "200.00", "USD"),
    ("send him about 50", "50", "50.00", "USD"),
    ("pay my landlord 900", "900", "900.00", "USD"),
    ("send mom fifty please", "fifty", "50.00", "USD"),
    ("a transfer of 75", "75", "75.00", "USD"),
    ("can i make a 800 transfer", "800", "800.00", "USD"),
    ("set my limit to 500", "500", "500.00", "USD"),
    ("did I spend more than 400 in groceries", "400", "400.00", "USD"),
    ("show transactions over 100", "100", "100.00", "USD"),
    ("make it 75", "75", "75.00", "USD"),
    ("500 to savings", "500", "500.00", "USD"),
    ("i sent alice 40 yesterday", "40", "40.00", "USD"),
    ("deposit a check for 500", "500", "500.00", "USD"),
    ("pay $50/month", "$50", "50.00", "USD"),
    ("transfer 4,000 into my checking", "4,000", "4000.00", "USD"),
]


@pytest.mark.parametrize(("text", "span", "amount", "currency"), AMOUNTS)
def test_an_amount_is_read_exactly(text: str, span: str, amount: str, currency: str) -> None:
    assert found(text, "amount") == [(span, {"amount": amount, "currency": currency})]


@pytest.mark.parametrize(
    "text",
    [
        "show me the last 5 transactions",
        "my card ending in 4144",
        "send it from 4144 to 1234",
        "I'm 25 years old",
        "in 2025",
        "meeting at 5",
        "on June 3",
        "call 555-123-4567",
        "my account number is 1234567890",
        "my visa 4111 1111 1111 1111",
        "send C$50",
        "send -$5",
        "$10-20",
        "$10-$20",
        "$1.200",
        "$10.555",
        "$1,00",
        "nine fifty dollars",
        "a couple of hundred dollars",
        "a few thousand dollars",
        "50 canadian dollars",
        "send 50 pesos",
        "send 50% of it",
        "send 50 canadian dollars",
        "I have 2 kids",
        "make it 5",
        "5 weeks",
        "pay invoice 4411",
        "24/7 support",
        "see https://bank.example.com/pay?amount=$50",
        "$99999999999999999",
        "#50",
        "add 2 more payees",
        "I'm over 18 and want to send money",
        "send 30-day notes",
        "50x",
    ],
)
def test_what_is_not_surely_an_amount_is_none(text: str) -> None:
    assert found(text, "amount") == []


def test_an_amount_without_a_currency_is_in_the_one_given() -> None:
    assert found("send 50 to Bob", "amount", currency="GBP") == [("50", {"amount": "50.00", "currency": "GBP"})]
    assert found("send 50 to Bob", "amount", currency="JPY") == [("50", {"amount": "50", "currency": "JPY"})]


DATES = [
    ("pay it today", "today", "2026-11-21"),
    ("tomorrow at 5pm", "tomorrow", "2026-11-22"),
    ("the day after tomorrow", "day after tomorrow", "2026-11-23"),
    ("I paid it yesterday", "yesterday", "2026-11-20"),
    ("stolen last night", "last night", "2026-11-20"),
    ("schedule for Friday", "Friday", "2026-11-27"),
    ("did I get paid on Friday", "Friday", "2026-11-20"),
    ("did my transfer on Friday go through", "Friday", "2026-11-20"),
    ("I dispute the charge on Nov 3", "Nov 3", "2026-11-03"),
    ("this Friday", "this Friday", "2026-11-20"),
    ("pay it next Friday", "next Friday", "2026-11-27"),
    ("last Friday", "last Friday", "2026-11-20"),
    ("Monday next week", "Monday next week", "2026-11-23"),
    ("last week Monday", "last week Monday", "2026-11-09"),
    ("Friday in a week", "Friday in a week", "2026-12-04"),
    ("a week from Friday", "a week from Friday", "2026-12-04"),
    ("pay on the 5th", "5th", "2026-12-05"),
    ("I paid on the 5th", "5th", "2026-11-05"),
    ("send it on the 31st", "31st", "2026-12-31"),
    ("on the first", "first", "2026-12-01"),
    ("June 3rd", "June 3rd", "2027-06-03"),
    ("I was charged on June 3rd", "June 3rd", "2026-06-03"),
    ("the 3rd of June", "3rd of June", "2027-06-03"),
    ("3 June 2027", "3 June 2027", "2027-06-03"),
    ("June 3, 2027", "June 3, 2027", "2027-06-03"),
    ("Thursday, June 3rd", "Thursday, June 3rd", "2027-06-03"),
    ("twenty-first of May", "twenty-first of May", "2027-05-21"),
    ("on Dec. 24", "Dec. 24", "2026-12-24"),
    ("Feb 29", "Feb 29", "2028-02-29"),
    ("06/03/2027", "06/03/2027", "2027-06-03"),
    ("6/3/27", "6/3/27", "2027-06-03"),
    ("25/12/2026", "25/12/2026", "2026-12-25"),
    ("on 12/25", "12/25", "2026-12-25"),
    ("03.06.2027", "03.06.2027", "2027-06-03"),
    ("2027-06-03", "2027-06-03", "2027-06-03"),
    ("in two weeks", "in two weeks", "2026-12-05"),
    ("in 7 days", "in 7 days", "2026-11-28"),
    ("3 days ago", "3 days ago", "2026-11-18"),
    ("a month ago", "a month ago", "2026-10-21"),
    ("two weeks from now", "two weeks from now", "2026-12-05"),
    ("first of next month", "first of next month", "2026-12-01"),
    ("end of the month", "end of the month", "2026-11-30"),
]


@pytest.mark.parametrize(("text", "span", "value"), DATES)
def test_a_day_is_read(text: str, span: str, value: str) -> None:
    assert found(text, "date") == [(span, value)]


@pytest.mark.parametrize(
    "text",
    ["June 31st", "31st of June", "2027-02-30", "13/13/2026", "my 5th transaction", "24/7", "may I see", "1/2",
     "second one", "in a few days", "40th", "in 99999999 years", "9999 years ago",
     "the 21st century", "in May 20 dollars"],
)  # fmt: skip
def test_what_is_no_day_is_none(text: str) -> None:
    assert found(text, "date") == []


@pytest.mark.parametrize(("prefer", "value"), [("future", "2026-11-23"), ("past", "2026-11-16")])
def test_the_caller_may_choose_the_direction(prefer: Prefer, value: str) -> None:
    assert found("Monday", "date", prefer=prefer) == [("Monday", value)]


PERIODS = [
    ("last month", "last month", "2026-10-01", "2026-10-31"),
    ("this week", "this week", "2026-11-16", "2026-11-22"),
    ("last weekend", "last weekend", "2026-11-14", "2026-11-15"),
    ("previous quarter", "previous quarter", "2026-07-01", "2026-09-30"),
    ("last year", "last year", "2025-01-01", "2025-12-31"),
    ("next month", "next month", "2026-12-01", "2026-12-31"),
    ("the past 30 days", "past 30 days", "2026-10-22", "2026-11-21"),
    ("last three months", "last three months", "2026-08-21", "2026-11-21"),
    ("the past couple of weeks", "past couple of weeks", "2026-11-07", "2026-11-21"),
    ("since March", "since March", "2026-03-01", "2026-11-21"),
    ("since the 5th", "since the 5th", "2026-11-05", "2026-11-21"),
    ("since last week", "since last week", "2026-11-09", "2026-11-21"),
    ("spent in June", "June", "2026-06-01", "2026-06-30"),
    ("remind me in June", "June", "2027-06-01", "2027-06-30"),
    ("in June 2025", "June 2025", "2025-06-01", "2025-06-30"),
    ("November this year", "November this year", "2026-11-01", "2026-11-30"),
    ("what I spent in 2025", "2025", "2025-01-01", "2025-12-31"),
    ("Q1 2026", "Q1 2026", "2026-01-01", "2026-03-31"),
    ("this year so far", "this year so far", "2026-01-01", "2026-11-21"),
    ("the week of June 3 2026", "week of June 3 2026", "2026-06-01", "2026-06-07"),
    ("spent between May 1 and May 15", "between May 1 and May 15", "2026-05-01", "2026-05-15"),
    ("transactions May 1 to 15", "May 1 to 15", "2026-05-01", "2026-05-15"),
    ("spent from 1 to 15 June", "from 1 to 15 June", "2026-06-01", "2026-06-15"),
    ("show me from the 16th to the 22nd of April", "from the 16th to the 22nd of April", "2026-04-16", "2026-04-22"),
    ("spent from Monday to Friday", "from Monday to Friday", "2026-11-16", "2026-11-20"),
    ("from January to March 2026", "from January to March 2026", "2026-01-01", "2026-03-31"),
    ("spent between December 20 and January 5", "between December 20 and January 5", "2025-12-20", "2026-01-05"),
]


@pytest.mark.parametrize(("text", "span", "first", "last"), PERIODS)
def test_a_period_holds_its_first_and_last_day(text: str, span: str, first: str, last: str) -> None:
    assert found(text, "period") == [(span, {"from": first, "to": last})]


@pytest.mark.parametrize("text", ["march on", "send 50 to April", "change it from the 7th to the 14th", "from 5 to 10"])
def test_what_is_no_period_is_none(text: str) -> None:
    assert found(text, "period") == []


RECURRENCES = [
    ("every month", "every month", {"every": "month"}),
    ("send it weekly", "weekly", {"every": "week"}),
    ("daily", "daily", {"every": "day"}),
    ("every year", "every year", {"every": "year"}),
    ("every Friday", "every Friday", {"every": "week", "on": "friday"}),
    ("on Mondays", "Mondays", {"every": "week", "on": "monday"}),
    ("every two weeks", "every two weeks", {"every": "week", "interval": 2}),
    ("every other Friday", "every other Friday", {"every": "week", "on": "friday", "interval": 2}),
    ("bi-weekly", "bi-weekly", {"every": "week", "interval": 2}),
    ("quarterly", "quarterly", {"every": "month", "interval": 3}),
    ("on the 1st of each month", "1st of each month", {"every": "month", "on": 1}),
    ("every month on the 15th", "every month on the 15th", {"every": "month", "on": 15}),
    ("monthly on the 3rd", "monthly on the 3rd", {"every": "month", "on": 3}),
    ("first Wednesday of each month", "first Wednesday of each month", {"every": "month", "on": "wednesday", "nth": 1}),
    ("last day of every month", "last day of every month", {"every": "month", "on": "last"}),
    ("once a week", "once a week", {"every": "week"}),
]


@pytest.mark.parametrize(("text", "span", "value"), RECURRENCES)
def test_a_recurrence_is_read(text: str, span: str, value: dict[str, Any]) -> None:
    assert found(text, "recurrence") == [(span, value)]


@pytest.mark.parametrize("text", ["the monthly limit", "daily limit", "every time"])
def test_a_description_is_no_recurrence(text: str) -> None:
    assert found(text, "recurrence") == []


TIMES = [
    ("at 5pm", "5pm", "17:00"),
    ("5:30 pm", "5:30 pm", "17:30"),
    ("5.30pm", "5.30pm", "17:30"),
    ("12 am", "12 am", "00:00"),
    ("at 17:30", "17:30", "17:30"),
    ("at noon", "noon", "12:00"),
    ("midnight", "midnight", "00:00"),
    ("half past five", "half past five", "05:30"),
    ("quarter to 6 in the evening", "quarter to 6 in the evening", "17:45"),
    ("25 to 7 p.m.", "25 to 7 p.m.", "18:35"),
    ("10 past 9 night", "10 past 9 night", "21:10"),
    ("9 05 in the morning", "9 05 in the morning", "09:05"),
    ("maybe 10 o'clock?", "10 o'clock", "10:00"),
    ("ok at 4", "4", "04:00"),
    ("any time after 10", "10", "10:00"),
    ("five in the afternoon", "five in the afternoon", "17:00"),
]


@pytest.mark.parametrize(("text", "span", "value"), TIMES)
def test_a_time_of_day_is_read(text: str, span: str, value: str) -> None:
    assert found(text, "time") == [(span, value)]


@pytest.mark.parametrize("text", ["at 25:00", "send 20 to 2", "16:9", "at 50", "I am here", "5 to 8 people", "at 5%"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert found(text, "time") == []


@pytest.mark.parametrize(
    ("text", "span", "value"),
    [
        ("show me the last five transactions", "five", 5),
        ("last 10 please", "10", 10),
        ("order 3 cards", "3", 3),
        ("my 5 most recent payments", "5", 5),
        ("create 6 new standing orders", "6", 6),
    ],
)
def test_a_count_is_read(text: str, span: str, value: int) -> None:
    assert found(text, "count") == [(span, value)]


@pytest.mark.parametrize(
    "text", ["the previous one", "one of my cards", "last 5 days", "5 dollars", "0 cards", "2.5 cards"]
)
def test_what_counts_nothing_is_none(text: str) -> None:
    assert found(text, "count") == []


@pytest.mark.parametrize(
    ("text", "span", "value"),
    [
        ("send half to Bob", "half", "half"),
        ("send half of my savings", "half", "half"),
        ("transfer all my savings to checking", "all", "all"),
        ("move everything to savings", "everything", "all"),
        ("pay the rest", "the rest", "rest"),
        ("pay the full balance", "full balance", "all"),
        ("send double", "double", "double"),
    ],
)
def test_a_quantity_is_read(text: str, span: str, value: str) -> None:
    assert found(text, "quantity") == [(span, value)]


@pytest.mark.parametrize(
    "text", ["that's all", "show me all my cards", "half an hour", "is everything ok", "pay all my bills"]
)
def test_what_says_no_quantity_is_none(text: str) -> None:
    assert found(text, "quantity") == []


ACCOUNTS: list[tuple[str, list[dict[str, Any]]]] = [
    ("what's in my savings", [{"kind": "savings"}]),
    ("my checking account", [{"kind": "checking"}]),
    ("Checking.", [{"kind": "checking"}]),
    ("For checking.", [{"kind": "checking"}]),
    ("my current account", [{"kind": "checking"}]),
    ("my savings account ending 4144", [{"kind": "savings", "last4": "4144"}]),
    ("my savings x4144", [{"kind": "savings", "last4": "4144"}]),
    ("my account ending in 4144", [{"kind": None, "last4": "4144"}]),
    ("from the one ending in 4144", [{"kind": None, "last4": "4144", "role": "source"}]),
    ("from savings to checking", [{"kind": "savings", "role": "source"}, {"kind": "checking", "role": "target"}]),
    ("out of my savings into the checking account",
     [{"kind": "savings", "role": "source"}, {"kind": "checking", "role": "target"}]),
    ("what's my credit card balance", [{"kind": "credit_card"}]),
    ("pay 50 off my credit card", [{"kind": "credit_card", "role": "target"}]),
    ("put it towards my mortgage", [{"kind": "loan", "role": "target"}]),
    ("FROM SAVINGS", [{"kind": "savings", "role": "source"}]),
    ("checking my balance", []),
    ("thanks for checking", []),
    ("I'm just checking", []),
    ("my card", []),
    ("can I get a loan", []),
    ("block my credit card", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), ACCOUNTS)
def test_accounts_are_read_with_their_role(text: str, values: list[dict[str, Any]]) -> None:
    assert [value for _, value in found(text, "account")] == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("my card ending in 1234", [{"kind": None, "last4": "1234"}]),
        ("my visa 1234", [{"kind": None, "last4": "1234"}]),
        ("my debit card", [{"kind": "debit"}]),
        ("block my credit card", [{"kind": "credit"}]),
        ("the visa debit card ending 9876", [{"kind": "debit", "last4": "9876"}]),
        ("where is my card", []),
        ("card 1234 5678", []),
        ("a visa card", []),
    ],
)
def test_cards_are_read_by_kind_or_digits(text: str, values: list[dict[str, Any]]) -> None:
    assert [value for _, value in found(text, "card")] == values


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("call me at (555) 123-4567", "phone", ["5551234567"]),
        ("my phone is +44 20 7946 0958", "phone", ["+442079460958"]),
        ("text 5551234567", "phone", ["5551234567"]),
        ("reference 5551234567", "phone", []),
        ("4111 1111 1111 1111", "phone", []),
        ("jane.Doe+x@Example.co.uk.", "email", ["jane.doe+x@example.co.uk"]),
        ("jane@", "email", []),
        ("https://a.example/x@example.com", "email", []),
    ],
)
def test_contacts_are_normalised(text: str, name: str, values: list[str]) -> None:
    assert [value for _, value in found(text, name)] == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("pay my electricity bill", ["electricity"]),
        ("Pay gas and electric bills", ["gas", "electricity"]),
        ("pay the water", ["water"]),
        ("wi-fi bill", ["internet"]),
        ("cell phone bill", ["phone"]),
        ("pay my rent", ["rent"]),
        ("car insurance payment", ["insurance"]),
        ("pay my credit card bill", ["credit_card"]),
        ("my phone was stolen", []),
        ("I rent a flat", []),
        ("internet banking", []),
    ],
)
def test_bills_are_of_a_closed_list(text: str, values: list[str]) -> None:
    assert [value for _, value in found(text, "bill_type")] == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("send 50 to Alice", ["Alice"]),
        ("pay Alice Smith $5", ["Alice Smith"]),
        ("send £50 to José García-Márquez", ["José García-Márquez"]),
        ("To Amir.", ["Amir"]),
        ("pay McDonald's", ["McDonald's"]),
        ("send it to Mr. Brown", ["Mr. Brown"]),
        ("send it to Jerry's savings account", ["Jerry"]),
        ("pay my landlord", ["my landlord"]),
        ("send mom 50", ["mom"]),
        ("Send Money To Alice From Savings", ["Alice"]),
        ("send 50 to alice", []),
        ("SEND 50 TO ALICE", []),
        ("talk to Alice", []),
        ("pay on Friday", []),
        ("transfer to Savings", []),
        ("pay Bob's rent", []),
        ("send it to my landlord's account", []),
    ],
)
def test_a_payee_is_read_only_where_it_is_sure(text: str, values: list[str]) -> None:
    assert [value for _, value in found(text, "payee")] == values


def test_a_whole_sentence_is_read_in_order() -> None:
    text = "Pay my landlord $1,200 from my savings account ending 4144 on the 1st of each month at 9am"
    assert find_slots(text, today=TODAY) == (
        Slot("payee", "my landlord", "my landlord", 4, 15),
        Slot("amount", {"amount": "1200.00", "currency": "USD"}, "$1,200", 16, 22),
        Slot("account", {"kind": "savings", "last4": "4144", "role": "source"}, "savings account ending 4144", 31, 58),
        Slot("recurrence", {"every": "month", "on": 1}, "1st of each month", 66, 83),
        Slot("time", "09:00", "9am", 87, 90),
    )
    assert json.loads(json.dumps([slot.value for slot in find_slots(text, today=TODAY)]))


def test_what_lies_beyond_the_limit_is_not_read() -> None:
    assert found(" " * (MAX_CHARACTERS - 3) + "$50", "amount")
    assert not found(" " * MAX_CHARACTERS + "$50", "amount")


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (rules.normalise_amount("$50"), {"amount": "50.00", "currency": "USD"}),
        (rules.normalise_amount("50", "EUR"), {"amount": "50.00", "currency": "EUR"}),
        (rules.normalise_amount("fifty."), {"amount": "50.00", "currency": "USD"}),
        (rules.normalise_amount("about 50 dollars"), {"amount": "50.00", "currency": "USD"}),
        (rules.normalise_amount("1.200"), None),
        (rules.normalise_amount("50", "XXX"), None),
        (rules.normalise_amount("5 cards"), None),
        (rules.normalise_amount(""), None),
        (rules.normalise_date("the 5th", TODAY), "2026-12-05"),
        (rules.normalise_date("on June 3rd.", TODAY, "past"), "2026-06-03"),
        (rules.normalise_date("soon", TODAY), None),
        (rules.normalise_period("in June", TODAY), {"from": "2026-06-01", "to": "2026-06-30"}),
        (rules.normalise_period("June", TODAY, "future"), {"from": "2027-06-01", "to": "2027-06-30"}),
        (rules.normalise_recurrence("on the 1st of each month"), {"every": "month", "on": 1}),
        (rules.normalise_time("at 5pm"), "17:00"),
        (rules.normalise_time("later"), None),
        (rules.normalise_account("from my savings"), {"kind": "savings", "role": "source"}),
        (rules.normalise_card("my debit card"), {"kind": "debit"}),
        (rules.normalise_bill_type("water"), "water"),
        (rules.normalise_bill_type("the electric bill"), "electricity"),
        (rules.normalise_bill_type("pony"), None),
        (rules.normalise_count("five"), 5),
        (rules.normalise_count("-5"), None),
        (rules.normalise_quantity("everything"), "all"),
        (rules.normalise_quantity("some"), None),
        (rules.normalise_phone(" 555-123-4567 "), "5551234567"),
        (rules.normalise_phone("five"), None),
        (rules.normalise_email("A@B.com"), "a@b.com"),
        (rules.normalise_email("a@b.com c"), None),
    ],
)
def test_a_span_found_elsewhere_is_normalised(got: object, wanted: object) -> None:
    assert got == wanted
