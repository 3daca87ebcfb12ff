"""Amounts, counts and quantities.

A number with a currency is an amount anywhere. A bare number is one only after words of money ("send 50 to Alice")
and where nothing says that it counts something else. What cannot be read exactly is left out, never rounded:
"$1.200", "$1,00", "C$50", "$10-20", "-$5", "$2bn" in a currency of another country.
"""

from __future__ import annotations

from decimal import Decimal

from llm_banking.kit.money import MINOR_DIGITS, Money, MoneyError
from llm_banking.nlu.slots import lexicon
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.slots.numbers import Number, read_number
from llm_banking.nlu.slots.tokens import Found, Words

MAX_AMOUNT_MINOR = 10**15
MAX_COUNT = 9999

_COMMA_CURRENCIES = frozenset(["EUR", "CHF"])
_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_UNITS = {
    word: currency
    for currency, names in {
        "USD": "dollar dollars buck bucks usd",
        "EUR": "euro euros eur",
        "GBP": "pound pounds quid gbp sterling",
        "CHF": "franc francs chf",
        "JPY": "yen jpy",
        "KWD": "dinar dinars kwd",
    }.items()
    for word in names.split()
}
_CODES = frozenset(code.lower() for code in MINOR_DIGITS)
_NATIONS = {"us": "USD", "american": "USD", "british": "GBP", "swiss": "CHF", "japanese": "JPY", "kuwaiti": "KWD"}
_SUBUNITS = {"cent": "", "cents": "", "pence": "GBP", "penny": "", "pennies": "", "p": "GBP"}
_FOREIGN = word_set(
    "canadian australian hong singapore zealand mexican cad aud nzd sgd hkd mxn inr cny rmb rupee rupees peso pesos "
    "yuan krona kronor krone zloty lira rand real reais won rubles roubles dirham dirhams riyal riyals percent "
    "percentage bitcoin btc eth points miles"
)
_SINGULAR = word_set("dollar buck euro pound quid")
_HEDGES = word_set(
    "about around roughly approximately approx only just exactly another extra like the me him her "
    "them us you my our it over nearly almost up"
)
_NOT_NAMES = word_set(
    "invoice bill card account number reference ref order step option code pin zip check cheque ending last first "
    "within after before to in on at of for from by or and is was are than line page room flat unit no otp passcode "
    "password policy customer id iban sort"
)
_NOUNS_OF = word_set("payment transfer amount deposit withdrawal sum total limit budget fee balance refund")
_SINGLE_NOUNS = word_set("transfer payment deposit withdrawal refund charge fee purchase")
_BOUNDS = word_set("over under above below exceeding")
_AGED = word_set("i'm im am is are be aged age those anyone")
_COMPARED = word_set("more less greater higher bigger lower larger")
_ADJECTIVES = word_set(
    "most recent latest last past previous new biggest largest highest lowest pending failed different more other "
    "additional active debit credit big large standing direct bank old missing separate unauthorized unauthorised"
)
_SELECTORS = word_set("last latest recent past top first previous")


def money(value: Decimal, currency: str) -> dict[str, str] | None:
    """An exact amount as the wire writes it; None where the currency cannot hold it or it is beyond any account."""
    try:
        amount = Money.parse(f"{value:f}", currency)
    except MoneyError:
        return None
    if not 0 <= amount.amount_minor < MAX_AMOUNT_MINOR:
        return None
    return {"amount": amount.as_decimal_string(), "currency": currency}


def read_amount(words: Words, index: int) -> Found | None:
    """The amount that starts at a token, with its currency words; None where none does."""
    for reader in (_symbol_first, _number_first, _bare):
        found = reader(words, index)
        if found:
            value, end = found
            return Found("amount", value, index, end) if _free(words, index, end) else None
    return None


def _free(words: Words, first: int, end: int) -> bool:
    """Whether the amount stands by itself: no sign, range, percentage or other currency belongs to it."""
    start, stop = words.span(first, end)
    before, after = words.source[max(start - 2, 0) : start], words.source[stop : stop + 2]
    joined = before[-1:] in tuple("-\u2212\u2013+/:#*@%=.,$€£¥₹") and before != "- " and before not in (", ", ". ")
    per = after[:1] == "/" and after[1:].isalpha()
    continued = after[:1] == "%" or (after[:1] in tuple("-\u2013/:") and bool(after[1:].strip()) and not per)
    return words.alone(first, end) and not joined and not continued and words.low(end) not in _FOREIGN


def _number(words: Words, index: int, currency: str) -> Number | None:
    """A number that can be an amount; "1.200" is refused, being a thousand to some and one to others."""
    number = read_number(words, index)
    if number is None or (number.end == index + 1 and _ambiguous(words.low(index), currency)):
        return None
    return number


def _ambiguous(text: str, currency: str) -> bool:
    """Whether a point or comma may part thousands or decimals: "1.200", or "1,00" where decimals take a point."""
    _, point, places = text.partition(".")
    if "," in text:
        return not point and len(text.rpartition(",")[2]) == 2 and currency not in _COMMA_CURRENCIES
    return bool(point) and len(places) == 3 and MINOR_DIGITS.get(currency, 2) < 3


def _symbol_first(words: Words, index: int) -> tuple[dict[str, str], int] | None:
    """Read "$50", "US$ 50", "USD 50", "$5 and 20 cents"."""
    at = index + 1 if words.low(index) == "us" and words.low(index + 1) == "$" and words.touches(index + 1) else index
    low = words.low(at)
    currency = _SYMBOLS.get(low) or (low.upper() if low in _CODES else None)
    number = _number(words, at + 1, currency) if currency else None
    if number is None or currency is None:
        return None
    unit = _unit(words, number.end)
    end = unit[1] if unit and unit[0] == currency else number.end
    if unit and unit[0] != currency:
        return None
    return _with_cents(words, number.value, currency, end)


def _number_first(words: Words, index: int) -> tuple[dict[str, str], int] | None:
    """Read "50 dollars", "40€", "fifty bucks", "50 cents", "a dollar"."""
    if words.low(index) in ("a", "one") and words.low(index + 1) in _SINGULAR:
        ends = words.ends(index + 2) or words.low(index + 2) in lexicon.FOLLOWERS
        value = money(Decimal(1), _UNITS[words.low(index + 1)]) if ends else None
        return (value, index + 2) if value else None
    number = _grouped(words, index) or read_number(words, index)
    if number is None:
        return None
    unit = _unit(words, number.end)
    if unit:
        if number.end == index + 1 and _ambiguous(words.low(index), unit[0]):
            return None
        return _with_cents(words, number.value, unit[0], unit[1])
    cents = _subunit(words, number.end)
    if cents:
        value = money(number.value.scaleb(-2), cents)
        return (value, number.end + 1) if value else None
    return None


def _grouped(words: Words, index: int) -> Number | None:
    """Read "1 200 500" with spaces between groups of three digits; read only with a currency."""
    if not 0 < len(words.digits(index)) <= 3:
        return None
    end = index + 1
    while end < index + 4 and len(words.digits(end)) == 3:
        end += 1
    if end == index + 1:
        return None
    start, stop = words.span(index, end)
    return Number(Decimal("".join(words.source[start:stop].split())), end)


def _unit(words: Words, index: int) -> tuple[str, int] | None:
    """A currency sign, word or code after a number, and the index after it."""
    low = words.low(index)
    if low in _SYMBOLS and words.touches(index):
        return _SYMBOLS[low], index + 1
    if low in _NATIONS and words.low(index + 1) in _UNITS:
        return (_NATIONS[low], index + 2) if _UNITS[words.low(index + 1)] == _NATIONS[low] else None
    if low in _UNITS:
        end = words.skip(index + 1, "sterling") if _UNITS[low] == "GBP" else index + 1
        return _UNITS[low], end
    return None


def _subunit(words: Words, index: int) -> str | None:
    """The currency whose hundredth a word names; None where it names none."""
    low = words.low(index)
    if low not in _SUBUNITS or (low == "p" and not words.touches(index)):
        return None
    return _SUBUNITS[low] or (words.currency if MINOR_DIGITS.get(words.currency) == 2 else "USD")


def _with_cents(words: Words, value: Decimal, currency: str, end: int) -> tuple[dict[str, str], int] | None:
    """Add "and 20 cents" where it follows."""
    at = words.skip(end, "and")
    cents = read_number(words, at)
    if cents and cents.whole is not None and cents.whole < 100 and words.low(cents.end) in _SUBUNITS:
        value, end = value + cents.value.scaleb(-2), cents.end + 1
    amount = money(value, currency)
    return (amount, end) if amount else None


def _bare(words: Words, index: int) -> tuple[dict[str, str], int] | None:
    """Read "send 50 to Alice", "2k", "a transfer of 200": a number that only its neighbours make an amount."""
    number = _number(words, index, words.currency)
    if number is None:
        return None
    end = number.end
    next_word = words.low(end)
    noun = next_word in _SINGLE_NOUNS and words.low(index - 1) in lexicon.DETERMINERS
    if not (noun or words.ends(end) or next_word in lexicon.FOLLOWERS):
        return None
    said = words.low(end - 1) in ("k", "grand")
    if not (said or noun or _to_account(words, end) or _after_money(words, index, number)):
        return None
    value = money(number.value, words.currency)
    return (value, end) if value else None


def _to_account(words: Words, end: int) -> bool:
    """Whether a number goes to or from an account by the words after it: "500 to savings"."""
    if words.low(end) not in ("to", "into", "from"):
        return False
    at = words.skip(end + 1, "my", "the", "our")
    return words.low(at) in ("savings", "checking", "chequing") or words.match(at, "current account") > at


def _after_money(words: Words, index: int, number: Number) -> bool:
    """Whether the words before a bare number make it an amount."""
    last, before = words.low(index - 1), words.low(index - 2)
    if last == "it" and before == "make":
        return number.value > 24
    if last in ("of", "is", "was") and before in _NOUNS_OF:
        return True
    if last in ("to", "by") and before in ("limit", "budget", "amount"):
        return True
    if last == "for" and before in _SINGLE_NOUNS | {"check", "cheque", "invoice", "bill"}:
        return True
    compared = (last == "than" and before in _COMPARED) or (last in _BOUNDS and before not in _AGED)
    if compared or (last == "least" and before == "at"):
        return bool(words.lows & (lexicon.MONEY_VERBS | lexicon.MONEY_NOUNS))
    return after_verb(words, index, lexicon.MONEY_VERBS)


def after_verb(words: Words, index: int, verbs: frozenset[str]) -> bool:
    """Whether a verb stands before a token with only hedges and at most two words naming a person between."""
    names = 0
    for at in range(index - 1, max(index - 6, -1), -1):
        low = words.low(at)
        if low in verbs:
            return True
        if low in _HEDGES:
            continue
        if words.kind(at) != "word" or low in _NOT_NAMES or low in lexicon.FOLLOWERS or names == 2:
            return False
        names += 1
    return False


def read_count(words: Words, index: int) -> Found | None:
    """Read "five" in "last five transactions", "3" in "3 cards"."""
    number = read_number(words, index)
    if number is None or number.whole is None or not 1 <= number.whole <= MAX_COUNT or words.low(index) == "a":
        return None
    at = number.end
    for _ in range(3):
        at += words.low(at) in _ADJECTIVES
    noun = words.low(at)
    plural = noun.endswith("s") or number.whole == 1
    counted = noun in lexicon.COUNTABLE and plural
    chosen = (
        words.low(index - 1) in _SELECTORS
        and words.low(index) != "one"
        and (words.ends(number.end) or words.low(number.end) == "please")
    )
    if not (counted or chosen) or not words.alone(index, number.end):
        return None
    return Found("count", number.whole, index, number.end)


_WHOLES = (
    "of it",
    "of my",
    "of the",
    "of that",
    "my money",
    "the money",
    "my funds",
    "the funds",
    "my savings",
    "my balance",
    "the balance",
    "in my",
    "from my",
    "the amount",
    "that amount",
    "what i",
)
_FULL = (
    "full balance",
    "full amount",
    "entire balance",
    "entire amount",
    "whole balance",
    "whole amount",
    "whole lot",
    "total balance",
)
_QUANTITIES = {
    "half": "half",
    "all": "all",
    "everything": "all",
    "double": "double",
    "rest": "rest",
    "remainder": "rest",
}
_AFTER_QUANTITY = lexicon.FOLLOWERS | {"it"}


def read_quantity(words: Words, index: int) -> Found | None:
    """Read "half", "all", "everything", "the rest", "double" where they say how much money goes."""
    for phrase in _FULL:
        if words.match(index, phrase) > index:
            return Found("quantity", "all", index, index + 2)
    at = words.skip(index, "the")
    value = _QUANTITIES.get(words.low(at))
    if value is None or (value == "rest") != (at > index):
        return None
    verb = after_verb(words, index, lexicon.PAYING_VERBS)
    end = at + 1
    follows = words.ends(end) or words.low(end) in _AFTER_QUANTITY
    whole = any(words.match(end, phrase) > end for phrase in _WHOLES)
    counted = any(words.low(end + offset) in lexicon.COUNTABLE for offset in range(3))
    doubled = value == "double" and words.low(end) in ("it", "that", "the")
    if counted or not ((verb and (follows or whole)) or doubled or (whole and _moved(words, value))):
        return None
    return Found("quantity", value, index, end)


def _moved(words: Words, value: str) -> bool:
    """Whether a quantity without a verb before it still speaks of money that moves."""
    return value in ("half", "rest", "all") and bool(words.lows & lexicon.PAYING_VERBS)
