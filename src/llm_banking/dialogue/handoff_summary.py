"""What an agent reads before taking a conversation: made by rule from what was said and done, with secrets masked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from llm_banking.dialogue.flow_files import Flows
from llm_banking.dialogue.handoff_rules import Reason
from llm_banking.dialogue.tracker import Tracker
from llm_banking.nlu.personal_data import find_personal_data

MAX_MESSAGES = 5
MAX_QUOTED_CHARS = 200
_SECRET = re.compile(
    r"\b(?P<what>pin|cvv|cvc|security code|passcode|password|one[- ]time code|otp|code)\b"
    r"(?P<between>(?:\s*[:=]\s*|\s+(?:is|was|number|no\.?)\s+|\s+)(?:is\s+)?[\"'“]?)(?P<secret>[^\s,;!?]*\d[^\s,;!?]*)",
    re.IGNORECASE,
)
_PASSWORD = re.compile(
    r"\b(?P<what>passcode|password)(?P<between>\s*[:=]\s*|\s+(?:is|was)\s+)(?P<secret>\S+)", re.IGNORECASE
)
_LONG_NUMBER = re.compile(r"(?<![\d.,])(?!\d{4}-\d\d-\d\d\b)\d(?:[ -]?\d){7,}(?![\d.,]*\d)")
_ASKED: dict[Reason, str] = {
    "request": "asked for a person.",
    "failure": "was not understood several times in a row.",
    "policy": "wrote about what always goes to a person.",
}


def masked(text: str) -> str:
    """A text without numbers of cards, accounts and identity papers, codes and passwords; the end of some is left.

    What has a check digit or a strict form is found as `nlu.personal_data` finds it; of the rest, each run of eight or
    more digits is taken for a number, and what follows a word like PIN for a secret.
    """
    for one in reversed(find_personal_data(text, (), ())):
        end = f" ending {text[: one.end][-4:]}" if one.type in ("CARD", "IBAN") else ""
        text = f"{text[: one.start]}[{one.type.lower().replace('_', ' ')}{end}]{text[one.end :]}"
    text = _LONG_NUMBER.sub(lambda found: f"[number ending {found[0][-4:]}]", text)
    for pattern in (_SECRET, _PASSWORD):
        text = pattern.sub(lambda found: f"{found['what']}{found['between']}[hidden]", text)
    return text


def summary_of(name: str, reason: Reason, messages: Sequence[str], tracker: Tracker, flows: Flows) -> str:
    """The summary of a conversation that is handed over, a line for each thing.

    `messages` are the customer's latest, first first; `tracker` is as it was before anything was stopped.
    """
    lines = [f"{name} {_ASKED[reason]}"]
    lines += [f"Wrote: “{_quoted(one)}”" for one in messages[-MAX_MESSAGES:]]
    for frame in reversed(tracker.stack):
        flow = flows.by_name.get(frame.flow)
        names = flow.slots if flow else frame.slots
        known = ", ".join(f"{name} {frame.slots[name].label}" for name in names if name in frame.slots)
        shown = "shown for approval, then voided" if frame.pending else "not yet shown for approval"
        lines.append(f"Stopped: {flow.title if flow else frame.flow} ({known or 'nothing said of it yet'}; {shown}).")
    happened = Counter(one.what for one in tracker.events)
    tried = [
        f"{words} ({times})"
        for what, words in (
            ("approved", "approved and executed"),
            ("refused", "refused by a rule"),
            ("cancelled", "cancelled"),
            ("not_understood", "not understood"),
        )
        if (times := happened[what])  # type: ignore[index]
    ]
    lines += [f"Before: {', '.join(tried)}."] if tried else []
    return "\n".join(lines)


def _quoted(text: str) -> str:
    line = " ".join(masked(text).split())
    return line if len(line) <= MAX_QUOTED_CHARS else line[: MAX_QUOTED_CHARS - 1] + "…"
