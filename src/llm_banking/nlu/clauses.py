"""Where one message may hold several requests: the places at which it could be cut, found by form alone.

Nothing is decided here: each clause is a candidate that `nlu.requests` weighs by what the model reads in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from llm_banking.nlu.payments import QUOTED, goes_on_paying, opens_payment, where_more_may_follow

MAX_CLAUSES = 4
USUAL_CLAUSES = 3
"""Reading the clauses of a message costs one run of the model each, and reading two of three together another."""
MAX_CHARACTERS = 4000
"""What is searched of a message; the rest belongs to its last clause."""
MAX_CUTS = 32
"""What is found of the places to cut; a message with more of them is no list of requests."""
_LOOK_BACK = 24
"""Characters before a place to cut that tell whether it is one."""
_RUN_ON_WORDS = 2
"""A sentence begun without a sign needs this many words on both sides."""


class Joint(StrEnum):
    """What stands between a clause and the one before it, from the surest sign of a new request to the weakest."""

    LIST = "list"
    ALSO = "also"
    THEN = "then"
    STOP = "stop"
    AND = "and"
    RUN_ON = "run_on"
    COMMA = "comma"


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch of the message, `text[start:end]` without the words that join it; `joint` is None for the first."""

    start: int
    end: int
    joint: Joint | None = None


@dataclass(frozen=True, slots=True)
class _Cut:
    """What is before ends at `left`, what is after begins at `right`."""

    left: int
    right: int
    joint: Joint


_VERBS = (
    "show|tell|give|send|let|get|pay|check|freeze|unfreeze|block|unblock|cancel|close|open|order|activate|change|update"
    "|transfer|move|schedule|add|replace|redeem|increase|raise|lower|reduce|report|dispute|apply|set|find|exchange|top"
    "|reset|link|stop|connect|put|make|start|help|use|look|see|switch|turn|remove|unlock|lock|thaw|estimate|list|talk"
    "|speak|call|email|book|request|deposit|withdraw|buy|track|verify|explain|remind|review|return|refund|calculate"
)
_ASKS = (
    r"what|whats|how|hows|when|whens|where|wheres|why|who|which|can|could|would|will|may|is|are|am|do|does|did|has|have"
    r"|should|any|wat|wats|whn"
)
_PEOPLE = r"i|im|ive|id|we|my|our|someone|somebody|there|theres|it|its|they|he|she|the|this|that|a|an"
_OPENERS = rf"(?:{_VERBS}|{_ASKS}|{_PEOPLE}|please|pls|yes|no|not|also|then)"

_LIST = r"\A\s*\(?\d{1,2}[.):]\s+|\n\s*(?:[-*•\u2013]|\(?\d{1,2}[.):])?\s*|(?<=\s)\(?\d[.)]\s+(?=[^\W\d])"
_STOP = (
    r"(?:(?<!\b[a-z])(?<!\bmr)(?<!\bms)(?<!\bdr)(?<!\bst)(?<!\bvs)(?<!\bmrs)(?:\.+|…)|[?!]+)[\"'”\u2019)]*(?=\s|\Z)\s*"
    r"|;\s*|(?<=\s)[-\u2013—]+\s+"
)
_ALSO = (
    r"also|plus|as well as|(?:and )?another thing|one more thing|separately|by the way|btw|in addition|additionally"
    r"|besides|while (?:i'm|im|i am|we're|you're|you are) (?:here|at it|on it)"
)
_THEN = r"then|after(?:wards?| that| this)|but first|once (?:that's|thats|that is|it's|its|it is) done"
_ONLY_AT_A_CUT = r"next|first(?: of all|ly)?|second(?:ly)?|finally|lastly|if (?:so|not|yes|there is)|oh"
_JOINT = re.compile(
    rf"(?P<list>{_LIST})|(?P<stop>{_STOP})|(?P<comma>(?:(?<!\d),|,(?!\d))\s*)|(?<![\w'\u2019])(?:(?P<also>{_ALSO})"
    rf"|(?P<then>{_THEN})|(?P<inner>{_ONLY_AT_A_CUT})|(?P<and>and|&|n|\+))(?![\w'\u2019])[\s:]*",
    re.IGNORECASE,
)
_NOTE_BEFORE = re.compile(
    r"\bwith (?:the |a )?(?:note|memo|reference|message)\b(?!\s*[\"“])|\b(?:note|memo|reference)\s*:(?!\s*[\"“])",
    re.IGNORECASE,
)
_COORDINATES = re.compile(
    r"(?:\b(?:both|between|between \S+|go ahead|come|try|higher|lower|bigger|more|over|again|\d+(?:st|nd|rd|th)?)"
    r"\s*)\Z",
    re.IGNORECASE,
)
"""What stands before an "and" that joins words, not sentences."""
_OPENS = re.compile(rf"\W*{_OPENERS}(?:['\u2019]\w+)?\b", re.IGNORECASE)
_SUBJECT = re.compile(
    r"(?:(?:i|we|please|pls|(?:can|could|would|will|may) (?:i|you|we)|i'd|id|i'll|you)\s*)?\Z", re.IGNORECASE
)
_RUN_ON = re.compile(
    r"(?<=[\w.'\u2019])\s(?=(?:(?:show|tell|give|send|let|get) me|(?:what|how|when|where|why|who)(?:'?s| is| are"
    r"| do| does| did| can| much| many| long| was| would| has)|(?:can|could) (?:you|i)|is (?:my|it|there)"
    r"|do (?:i|you)|(?:please|pls) \w|(?:pay|check|freeze|unfreeze|block|cancel"
    r"|close|open|order|activate|change|update|transfer|move|send|schedule|add|replace|redeem|increase|raise|report"
    r"|dispute|apply|set up|show|find|top up|reset|link|stop) (?:my|the|a|an|another|for|some|\$?\d+)"
    r"|i (?:need|want|would|lost|forgot)|i'd like|(?:someone|somebody) \w+)\b)",
    re.IGNORECASE,
)
_LEADS_ON = re.compile(
    r"(?:\b(?:to|me|you|i|we|he|she|they|it|not|\w+n'?t|cannot|can|could|would|will|please|pls|and|or|but|if|that|which"
    r"|who|what|when|where|why|how|whether|because|cause|cos|since|so|as|than|the|a|an|my|your|this|know|see|out|about"
    r"|of|for|in|on|at|by|with|from|into|just|still|ask|asking|asked|wondering|wonder|understand|sure|check|say|says"
    r"|said|think|thought|explain|after|before|until|while|once|again|help|even|do|does|did|is|are|was|like|idea"
    r"|remember|tell|app|always|now|never|ever|all|everything|anything|thing|one|also|then|really|first|unless))\W*\Z",
    re.IGNORECASE,
)
_INVERTED = re.compile(r"(?:can|could|is|do) ", re.IGNORECASE)
_ASKED_ALREADY = re.compile(r"\b(?:what|how|when|where|why|who|which|wh?[aeiou]*t|whn)\w*\b", re.IGNORECASE)
"""After a question word "can I" goes on with the question; elsewhere it starts one."""
_LEAD_IN = re.compile(
    r"\W*(?:(?:before|after|once|when|as soon as) (?:you|you've|you have|youve)(?: have)?\s+(?=\w)"
    r"|(?:[\w']+ ){0,4}(?:things?|questions?|requests?)\s*:\s*"
    rf"|(?:ok|okay|well|so|and|but|&|also|plus|then|please note|{_ONLY_AT_A_CUT})\b(?!['\u2019])[\s,:]*)+",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\W*(?:(?:hi|hello|hey|hiya|yo|dear|there|good (?:morning|afternoon|evening|day)|team|sir|madam|all|guys|thanks"
    r"|thank you|thx|ty|cheers|many|a lot|so much|very much|in advance|bye|goodbye|please|pls|sorry|excuse me|quick"
    r"|question|just|have|i have|got|i've got|a|couple of|couple|two|2|three|few|things?|questions?|requests?|for you"
    r"|to ask|why|kindly|regards|how are you|hope you are well|ok|okay|right|so|well|urgent|asap|now|today)\b\W*)+",
    re.IGNORECASE,
)
_SURE = (Joint.LIST, Joint.ALSO, Joint.THEN)
_STRENGTH = {joint: place for place, joint in enumerate(Joint)}


def candidate_clauses(text: str) -> tuple[Clause, ...]:
    """The clauses a message may be cut into, in order, MAX_CLAUSES at most; one that is the whole text if none.

    Offsets are into `text`. Where there are more places than may be tried, those least likely by their form are given
    up first; a fourth clause is kept only where every place is a sure sign, or a payment begins there.
    """
    clauses = _merged(text, list(_worded(text, _cuts(text[:MAX_CHARACTERS]))))
    while len(clauses) > USUAL_CLAUSES:
        if len(clauses) <= MAX_CLAUSES and all(_is_sure(text, clause) for clause in clauses[1:]):
            break
        weakest = max(range(1, len(clauses)), key=lambda at: _weakness(text, clauses, at))
        clauses[weakest - 1 : weakest + 1] = [replace(clauses[weakest - 1], end=clauses[weakest].end)]
    return tuple(clauses) if len(clauses) > 1 else (Clause(0, len(text)),)


def asks(text: str) -> bool:
    """Whether a clause is worded as a request: a command, a question or a wish; false where it only tells something."""
    return bool(_REQUEST.search(text))


def opens_with_a_request(text: str) -> bool:
    """Whether the first words of a clause are those of a command, a question or a wish."""
    return bool(_OPENS_REQUEST.match(text))


_OPENS_REQUEST = re.compile(
    rf"\W*(?:(?:also|please|pls|then|just|now)\s+)*(?:(?:{_VERBS}|what|how|when|where|why|who|which|can|could|would"
    r"|will|is|are|do|does|did)(?:['\u2019]?s)?\b|(?:i|we)(?: also| just)? (?:want|need|wanna|wish|would)"
    r"|i(?:['\u2019]d|d) (?:also )?(?:like|love))",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    rf"\A\W*(?:(?:{_VERBS}|{_ASKS})(?:['\u2019]\w+)?\b|(?:i|we)(?: also| just| really| still)?"
    r" (?:want|need|wanna|wish|would|wonder|must|have to)|i(?:['\u2019]d|d| would) (?:also )?(?:like|love|want)"
    r"|please|pls)|\?\W*\Z|\b(?:please|pls|tell me|let me know|(?:want|need|like|wanted|love) (?:to|you to|a|an|my|the)"
    r"|(?:can|could) (?:i|you)|how (?:do|can|much|many|long)|wondering)\b",
    re.IGNORECASE,
)


def _is_sure(text: str, clause: Clause) -> bool:
    at = clause.start
    return clause.joint in _SURE or opens_payment(text, at) or goes_on_paying(text, at) is not None


def _weakness(text: str, clauses: list[Clause], at: int) -> tuple[bool, int, int, int]:
    """How little speaks for a cut before a clause: its sign, whether it opens a request, and its length."""
    before, clause = clauses[at - 1], clauses[at]
    words = text[clause.start : clause.end]
    joint = clause.joint or Joint.STOP
    asking = int(opens_with_a_request(words)) + int(asks(text[before.start : before.end]))
    shorter = min(clause.end - clause.start, before.end - before.start)
    return joint not in _SURE, -asking, _STRENGTH[joint], -shorter


def _cuts(text: str) -> list[_Cut]:
    """Every joint; adjacent signs are one cut that counts as the surest of them."""
    found: list[_Cut] = []
    more = where_more_may_follow(text)
    for match in _JOINT.finditer(text):
        if len(found) == MAX_CUTS:
            break
        left, right = match.span()
        last = found[-1] if found else None
        since = text[last.right if last else 0 : left]
        sign = match.lastgroup or ""
        joint = Joint.THEN if sign == "inner" else Joint(sign)
        if last and not since.strip():
            found[-1] = _Cut(last.left, right, _surest(last.joint, joint))
        elif joint is Joint.ALSO and match["also"].casefold() == "also" and _SUBJECT.match(since.lstrip()):
            if last:
                found[-1] = replace(last, joint=Joint.ALSO)
        elif sign != "inner" and (_separates(text, match, joint) or _pays_on(text, match, joint, more)):
            found.append(_Cut(left, right, joint))
    return [cut for cut in _with_run_ons(text, found) if not _is_told(text, cut)]


def _is_told(text: str, cut: _Cut) -> bool:
    """Whether a place to cut stands in what somebody else said, or in what a payee shall read."""
    if cut.joint in (Joint.AND, Joint.COMMA, Joint.RUN_ON) and _NOTE_BEFORE.search(text, 0, cut.left):
        return True
    return any(match.start() < cut.left and cut.right < match.end() for match in QUOTED.finditer(text))


def _separates(text: str, match: re.Match[str], joint: Joint) -> bool:
    """Whether a joint inside running text may stand between two requests."""
    left, right = match.span()
    if joint is Joint.AND:
        return not _COORDINATES.search(text, max(0, left - _LOOK_BACK), left)
    if joint is Joint.COMMA or (joint is Joint.ALSO and match["also"].casefold() in ("also", "besides")):
        after = _JOINT.match(text, right)
        return bool(after) or bool(_OPENS.match(text, right))
    return True


def _pays_on(text: str, match: re.Match[str], joint: Joint, more: tuple[int, int] | None) -> bool:
    """Whether one payment after another begins behind a joint ("pay A 40 and B 60", "send 20 to A, 30 to B")."""
    if joint not in (Joint.AND, Joint.COMMA) or more is None or not more[0] <= match.start() < more[1]:
        return False
    return opens_payment(text, match.end()) or goes_on_paying(text, match.end()) is not None


def _surest(one: Joint, other: Joint) -> Joint:
    return min(one, other, key=_STRENGTH.__getitem__)


def _with_run_ons(text: str, cuts: list[_Cut]) -> list[_Cut]:
    """Add the places where a new sentence seems to start without any sign."""
    found = list(cuts)
    edges = [0, *(cut.right for cut in cuts)], [*(cut.left for cut in cuts), len(text)]
    for match in _RUN_ON.finditer(text):
        if len(found) >= MAX_CUTS:
            break
        at = match.end()
        since = max(edge for edge in (*edges[0], *(cut.right for cut in found)) if edge <= at)
        until = min((edge for edge in edges[1] if edge >= at), default=len(text))
        if _INVERTED.match(text, at) and _ASKED_ALREADY.search(text, since, at):
            continue
        long_enough = all(len(part.split()) >= _RUN_ON_WORDS for part in (text[since:at], text[at:until]))
        if (
            long_enough
            and not _LEADS_ON.search(text, max(since, match.start() - _LOOK_BACK), match.start())
            and not any(cut.right == at for cut in cuts)
        ):
            found.append(_Cut(match.start(), at, Joint.RUN_ON))
    return sorted(found, key=lambda cut: cut.left)


def _worded(text: str, cuts: list[_Cut]) -> Iterator[Clause]:
    """The stretches between the cuts that hold words, without the words that lead into them."""
    at = 0
    joint: Joint | None = None
    first = True
    for cut in [*cuts, _Cut(len(text), len(text), Joint.STOP)]:
        end = cut.left
        while end < cut.right and text[end] in ".?!…":
            end += 1
        start = at
        lead = _LEAD_IN.match(text, start, end)
        if lead and any(character.isalnum() for character in text[lead.end() : end]):
            start = lead.end()
        while start < end and not text[start].isalnum() and text[start] not in "$€£¥#@+(":
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        if any(character.isalnum() for character in text[start:end]):
            yield Clause(start, end, None if first else joint)
            first, joint = False, None
        joint = cut.joint if joint is None else _surest(joint, cut.joint)
        at = cut.right


def _merged(text: str, clauses: list[Clause]) -> list[Clause]:
    """Give courtesies and lone words to a neighbour: they are no clause of their own."""
    kept: list[Clause] = []
    for clause in clauses:
        words = text[clause.start : clause.end]
        filler = _COURTESY.fullmatch(words) or (len(words.split()) == 1 and clause.joint in (Joint.COMMA, Joint.RUN_ON))
        if not filler:
            joint = clause.joint if kept else None
            kept.append(replace(clause, joint=joint))
        elif kept and words.casefold().startswith("why"):
            kept[-1] = replace(kept[-1], end=clause.end)
    return kept
