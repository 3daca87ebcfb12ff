"""One reply to a message of several requests: what is clear is answered in order, then the rest is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from llm_banking.dialogue.commands import ACCOUNT_INTENTS, Answer, Clarify, Proposal
from llm_banking.dialogue.replies import AccountFacts, Citation, Reply, compose
from llm_banking.dialogue.tracker import Tracker
from llm_banking.knowledge.service import Knowledge

MAX_STEPS = 3
MAX_QUOTED_CHARS = 60


def compose_turn(
    proposals: Sequence[Proposal],
    facts: Sequence[AccountFacts | None],
    tracker: Tracker,
    knowledge: Knowledge,
) -> Reply:
    """Render the commands of one message, at least one, each with its facts, as one reply.

    A single command is rendered as `compose` does. Of several, the reply has the intent and the confidence of the
    first; the answers stand in order, a paragraph each, and one question follows them, about the first request that
    is unclear. What the customer says next answers that question.
    """
    replies = [compose(one.command, tracker, knowledge, own) for one, own in zip(proposals, facts, strict=True)]
    if len(replies) == 1:
        return replies[0]
    pairs = list(zip(proposals, replies, strict=True))
    answered = [(one, reply) for one, reply in pairs if isinstance(one.command, Answer)]
    questions = [(one, reply) for one, reply in pairs if isinstance(one.command, Clarify)]
    refused = [(one, reply) for one, reply in pairs if not isinstance(one.command, Answer | Clarify)]
    paragraphs = [reply.text for _, reply in answered]
    paragraphs += [f"About “{_quoted(one.text)}”: {_lowered(reply.text)}" for one, reply in (*refused, *questions[:1])]
    paragraphs += [f"After that, please ask me about “{_quoted(one.text)}” again." for one, _ in questions[1:]]
    return Reply(
        text="\n\n".join(paragraphs),
        intent=replies[0].intent,
        confidence=replies[0].confidence,
        in_scope=any(reply.in_scope for reply in replies),
        next_steps=questions[0][1].next_steps if questions else _steps([reply for _, reply in answered], knowledge),
        citations=_citations([reply for _, reply in (*answered, *questions[:1])]),
        tracker=Tracker(
            last_intent=_last_intent([reply.intent for _, reply in answered], tracker),
            offered=questions[0][1].tracker.offered if questions else (),
        ),
        missed=all(reply.missed for reply in replies),
    )


def _quoted(text: str) -> str:
    line = " ".join(text.split()).rstrip(".?!,; ")
    return line if len(line) <= MAX_QUOTED_CHARS else line[: MAX_QUOTED_CHARS - 1] + "…"


def _lowered(text: str) -> str:
    """The text as it goes on after a colon."""
    return text if text.startswith("I ") else text[:1].lower() + text[1:]


def _last_intent(answered: Sequence[str], tracker: Tracker) -> str | None:
    """What a follow-up ("and my savings?") is about: the last answer from the customer's rows, else the last one."""
    about_rows = [intent for intent in answered if intent in ACCOUNT_INTENTS]
    return (about_rows or [*answered])[-1] if answered else tracker.last_intent


def _steps(replies: Sequence[Reply], knowledge: Knowledge) -> tuple[str, ...]:
    """The first steps of each reply in turn, without those that were just taken."""
    taken = {knowledge.entry(reply.intent).ask for reply in replies}
    in_turn = [step for steps in zip_longest(*(reply.next_steps for reply in replies)) for step in steps if step]
    return tuple(step for step in dict.fromkeys(in_turn) if step not in taken)[:MAX_STEPS]


def _citations(replies: Sequence[Reply]) -> tuple[Citation, ...]:
    return tuple(dict.fromkeys(citation for reply in replies for citation in reply.citations))
