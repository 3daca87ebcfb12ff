"""What a loan costs that a customer only asks about, to the cent, by the bank's rules. Nothing is applied for here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache

from llm_banking.banking.amortisation import LoanTermsInvalidError
from llm_banking.banking.errors import LoanTermsRefusedError
from llm_banking.banking.loans import LoanRules, load_loan_rules
from llm_banking.dialogue.commands import LOAN_QUOTES, Answer, Proposal
from llm_banking.dialogue.loan_terms import months_of, terms_in
from llm_banking.dialogue.said import Part, said_in
from llm_banking.dialogue.tracker import Tracker
from llm_banking.kit.money import Money
from llm_banking.nlu.reader import Reading
from llm_banking.nlu.requests import Request
from llm_banking.nlu.slots import normalise_amount

FLOW = "loan_application"


def quoted(proposal: Proposal, reading: Reading, tracker: Tracker, today: date) -> str:
    """What the loan costs that a request asks about; nothing where it does not name one.

    An amount or a term that is not named is that of the application in work.
    """
    if not isinstance(proposal.command, Answer) or proposal.command.intent not in LOAN_QUOTES:
        return ""
    parts: Sequence[Part] = (*reading.requests, reading)
    part = next((one for one in parts if one.text == proposal.text), None)
    if part is None:
        return ""
    rules = _rules()
    amounts, months = _amounts(part, rules.least.currency, today), _months(part)
    if not amounts and not months:
        return ""
    frame = tracker.stack[-1] if tracker.stack and tracker.stack[-1].flow == FLOW else None
    known = frame.slots if frame else {}
    if not amounts and "amount" in known:
        amounts = [known["amount"].as_money()]
    if not months and "months" in known:
        months = [int(known["months"].value)]
    return _quote(amounts[0], months[0], rules) if len(amounts) == len(months) == 1 else ""


def _amounts(part: Part, currency: str, today: date) -> list[Money]:
    start = part.start if isinstance(part, Request) else 0
    terms = [(start + first, start + last) for first, last in terms_in(part.text)]
    found = [one for one in said_in(part, today) if one.kind == "amount"]
    read = [
        normalise_amount(one.text, currency=currency)
        for one in found
        if not any(one.start < last and first < one.end for first, last in terms)
    ]
    return list(dict.fromkeys(Money.parse(one["amount"], one["currency"]) for one in read if one))


def _months(part: Part) -> list[int]:
    read = [months_of(part.text[first:last]) for first, last in terms_in(part.text)]
    return [] if None in read else list(dict.fromkeys(one for one in read if one is not None))


def _quote(amount: Money, months: int, rules: LoanRules) -> str:
    try:
        plan = rules.quote(amount, months)
    except (LoanTermsRefusedError, LoanTermsInvalidError) as error:
        return error.message
    last = plan.instalments[-1].payment
    ends = f" (the last payment is {last.display()})" if last != plan.payment else ""
    return (
        f"A loan of {amount.display()} over {months} months at {plan.terms.annual_rate_percent} percent a year costs "
        f"{plan.payment.display()} a month{ends}: {plan.total_interest.display()} interest in all, "
        f"{plan.total_paid.display()} paid back. These are the bank's terms of today and no promise: a person decides "
        "about an application."
    )


@cache
def _rules() -> LoanRules:
    return load_loan_rules()
