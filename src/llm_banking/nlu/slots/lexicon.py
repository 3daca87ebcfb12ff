"""Closed word lists that more than one slot reader needs."""

from __future__ import annotations


def word_list(text: str) -> list[str]:
    """The words of a text, in order."""
    return text.split()


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


MONEY_VERBS = word_set(
    "send sending transfer transferring pay paying wire wiring move moving deposit withdraw add put take give lend "
    "borrow spend spending spent paid sent transferred moved deposited withdrew owe owes owed refund refunded save "
    "donate contribute zelle venmo remit repay charge charged cost costs invest loan top"
)
"""Verbs whose object is money."""

PAYING_VERBS = word_set(
    "send sending transfer transferring pay paying wire wiring move moving give lend owe repay zelle venmo remit "
    "withdraw deposit donate sent paid transferred moved take put"
)
"""Verbs by which money goes to somebody."""

MONEY_NOUNS = word_set(
    "payment transfer transaction transactions payments purchases purchase charges charge amount deposit withdrawal "
    "sum total limit budget fee fees balance refund bill money funds"
)

FOLLOWERS = word_set(
    "yesterday "
    "to from into in on for by today tomorrow tonight now please pls thanks thank and each every monthly weekly daily "
    "via with through using out back again as per next this instead towards toward onto off before after "
    "if then right asap immediately at or monday tuesday wednesday thursday friday saturday sunday -"
)
"""Words that may follow a bare number which is a whole phrase; any other word says what is being counted."""

COUNTABLE = word_set(
    "transactions transaction payments payment purchases purchase charges charge cards card accounts account "
    "transfers transfer deposits deposit withdrawals withdrawal statements statement checks check cheques cheque "
    "bills bill orders order debits debit loans loan beneficiaries payees messages entries items operations movements "
    "records subscriptions subscription refunds refund fees fee alerts copies installments instalments"
)

PEOPLE = word_set(
    "landlord landlady mom mum mother dad father brother sister son daughter wife husband spouse partner girlfriend "
    "boyfriend roommate flatmate friend boss babysitter nanny cleaner gardener accountant lawyer dentist doctor "
    "grandma grandpa grandmother grandfather aunt uncle cousin kid kids parents tutor mommy daddy mama papa "
    "gran nephew niece fiance fiancee"
)
"""Who a customer calls by what they are; used after "my"."""

FAMILY = word_set("mom mum dad grandma grandpa mommy daddy gran")
"""Of those, the ones also said without "my"."""

DETERMINERS = word_set("my the our your this that his her their a an another")

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAYS = (
    {name: number for number, name in enumerate(DAYS)}
    | {"mon": 0, "tue": 1, "tues": 1, "wed": 2, "thu": 3, "thur": 3, "thurs": 3, "fri": 4}
    | {"sat": 5, "sun": 6}
)
UNITS = {
    "day": "day",
    "days": "day",
    "week": "week",
    "weeks": "week",
    "month": "month",
    "months": "month",
    "year": "year",
    "years": "year",
    "fortnight": "fortnight",
    "fortnights": "fortnight",
    "quarter": "quarter",
    "quarters": "quarter",
    "weekend": "weekend",
}
