"""Who is paid, where the spelling or a word for the person makes it sure: "to Alice Smith", "pay my landlord".

Names in lower case, and any name in a text all in capitals, are left to the token head.
"""

from __future__ import annotations

from llm_banking.nlu.slots import lexicon
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.slots.tokens import Found, Words

MAX_NAME_WORDS = 4

_OPENERS = word_set("to pay send wire transfer zelle venmo give owe repay paying sending")
_NOT_NAMES = (
    word_set(
        "i i'm my me the a an to from in on at for of and or by with into it this that all half everything money "
        "please thanks checking savings saving current credit debit card cards account accounts bank loan mortgage "
        "visa mastercard amex atm usd eur gbp us uk eu bill bills payment payments transfer funds rent today tomorrow "
        "yesterday every each monthly weekly daily using via now ok okay yes no can could will would you your his her "
        "our their any some is are do does what when where how dear hi hello per some another one send pay check "
        "electricity gas water internet phone cable insurance half double am pm swift iban ach sepa pin zelle"
    )
    | lexicon.MONTHS.keys()
    | lexicon.WEEKDAYS.keys()
)
_TITLES = frozenset(["mr", "mrs", "ms", "dr", "st"])
_CLITICS = ("'s",)


def read_payee(words: Words, index: int) -> Found | None:
    """A payee as said. A name is read only after "to" or a verb of payment, and whole or not at all."""
    last = words.low(index - 1)
    if words.low(index) in lexicon.FAMILY and last in _OPENERS and _money(words, index):
        return Found("payee", words.tokens[index].text, index, index + 1)
    if last not in _OPENERS or not _money(words, index):
        return None
    if words.low(index) == "my":
        end = index + 2
        sure = words.low(index + 1) in lexicon.PEOPLE and words.low(end) not in _CLITICS
        start, stop = words.span(index, min(end, len(words.tokens)))
        return Found("payee", words.source[start:stop], index, end) if sure else None
    after = _name(words, index)
    if after is None or not words.alone(index, after):
        return None
    start, stop = words.span(index, after)
    return Found("payee", words.source[start:stop], index, after)


def _money(words: Words, index: int) -> bool:
    """Whether the text speaks of money going somewhere; "To Amir." alone answers the question who is paid."""
    verbs = words.lows & (
        lexicon.PAYING_VERBS | {"payment", "transfer", "owe", "owes", "owed", "$", "€", "£", "dollars"}
    )
    spoken = words.lows & {
        "talk",
        "speak",
        "spoke",
        "talking",
        "speaking",
        "go",
        "going",
        "travel",
        "travelling",
        "moving",
    }
    opens = index == 1 and words.low(0) == "to"
    return (bool(verbs) and not spoken) or opens


def _name(words: Words, index: int) -> int | None:
    """The index after a capitalised name; None where there is none or its end is unsure."""
    if words.shouted:
        return None
    at = index
    while at < len(words.tokens) and _capitalised(words, at):
        at += 1 + (words.low(at) in _TITLES and words.low(at + 1) == "." and _capitalised(words, at + 2))
        joined = words.low(at) in ("-", "&") and at + 1 < len(words.tokens) and _capitalised(words, at + 1)
        if joined and (words.low(at) == "&" or (words.touches(at) and words.touches(at + 1))):
            at += 1
        if at - index > MAX_NAME_WORDS:
            return None
    if at == index:
        return None
    if words.low(at) in _CLITICS:
        after = at + 1
        if words.ends(after) or words.low(after) in lexicon.FOLLOWERS:
            return after
        return at if words.low(after) in ("account", "savings", "checking", "current", "card") else None
    return at


def _capitalised(words: Words, index: int) -> bool:
    token = words.tokens[index]
    return token.kind == "word" and token.text[0].isupper() and len(token.text) > 1 and token.low not in _NOT_NAMES
