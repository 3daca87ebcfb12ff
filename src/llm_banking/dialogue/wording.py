"""What flows say. What an operation is, is never worded here: that text comes from the gate, as it was frozen."""

from __future__ import annotations

from collections.abc import Sequence

from llm_banking.dialogue.tracker import Choice, Prompt, Shown
from llm_banking.operations.records import Operation

FAULT = "Something went wrong on our side, so I stopped. Nothing was sent. Please start again, or ask for a person."
NOT_UNDERSTOOD = "I did not understand that."
OFFER_PERSON = (
    "I have not understood you several times in a row. Would you rather talk to a person? Say yes, or say no and we go "
    "on here."
)
MENTION_PERSON = (
    "I have not understood you several times in a row. If you would rather talk to a person, say “talk to a person”."
)
NOT_UNDERSTOOD_AGAIN = "I have still not understood you, so I get a person for you."
LEFT_TO_PERSON = (
    "Your message is with our team: a person answers you right here, and I stay out of it. To go on with me instead, "
    "say “back to the assistant”."
)
TAKEN_BACK = "I am the automated assistant, and I am back. Nothing is waiting for a yes. What can I do for you?"
HANDED_BACK = "I have handed you back to the assistant."
BACK = "Back to the assistant"
"""A message that takes a conversation back from a person."""
NEEDS_FACTOR = (
    "A yes in the chat is not enough for this one. Confirm it with your second factor, by the button of the "
    "confirmation. Nothing was sent so far."
)
NO_YES_NOW = (
    "I cannot take a confirmation at this moment, because a part of our system is away. Nothing was sent, and what you "
    "asked for still waits for your yes. Please say it again in a moment."
)
EXPIRED = "The time to confirm was over, and nothing was sent. Here it is once more."
NO_ACCOUNT = "You have no account that I could take the money from, so I have not begun it."
NO_CARD = "You have no card with which this can be done, so I have not begun it."
NO_SCHEDULE = (
    "You have no planned payment and no standing order, so there is nothing to cancel. A payment that was made already "
    "is another matter: ask me how a transfer is cancelled."
)
SAME_ACCOUNT = "The money cannot go to the account that it comes from."
STOPPED_FOR_PERSON = "I stopped what we were doing. Nothing was sent."
SIGN_IN = "I can do that for you right here once you are signed in. Sign in first, then ask me again."
_FACTORS = {"totp": "a code of your authenticator app", "webauthn": "your passkey"}


def handed_over(usually: str, phone: str) -> str:
    """What happens once a person is called; `usually` is the time until somebody answers."""
    return (
        "I am handing you over. Our team gets a short summary of our conversation, and a person answers you right "
        f"here, usually within {usually}. Until then you can write down more for them, or call {phone}. "
        "They never ask for your passcode or PIN, and cannot move money for you. To go on with me instead, say "
        "“back to the assistant”."
    )


def too_many_persons(phone: str) -> str:
    """No further conversation is handed over."""
    return (
        "Our team has several conversations of yours already, so I have not added this one. Please go on in one of "
        f"those, or call {phone}."
    )


def question(text: str, choices: Sequence[Choice]) -> str:
    """A slot's question, with what can be chosen from."""
    if not choices:
        return text
    return f"{text} You have {_listed(choices, 'and')}."


def which(choices: Sequence[Choice]) -> str:
    """Which of several values is meant, or whether the one is."""
    if len(choices) == 1:
        return f"Do you mean {choices[0].label}?"
    return f"Which do you mean: {_listed(choices, 'or')}?"


def approval(shown: Shown, *, again: bool) -> str:
    """The frozen text, and what a yes to it means."""
    lead = "We were here: " if again else ""
    if shown.requires:
        methods = " or ".join(_FACTORS.get(one, one) for one in shown.requires)
        return (
            f"{lead}{shown.summary}\nThis needs {methods}: confirm it with the button. You can still change it, or say "
            "cancel."
        )
    return f"{lead}{shown.summary}\nShall I go ahead? Say yes, tell me what to change, or say cancel."


def executed(done: Operation) -> str:
    """What was done, or is planned."""
    return f"{_word(done)}. {_told(done)}"


def done_elsewhere(done: Operation) -> str:
    """What was approved by its button since it was shown."""
    return f"You have confirmed this, and it is {_word(done).lower()}. {_told(done)}"


def _word(done: Operation) -> str:
    return "Planned" if done.status == "scheduled" else "Done"


def _told(done: Operation) -> str:
    """From what was frozen and approved alone, like the text that was shown."""
    return f"{done.told} Your confirmation code is {done.confirmation_code}."


def cancelled(title: str, *, pays: bool) -> str:
    """A flow that its customer gave up; `pays`: one that would have sent money."""
    return f"All right, I stopped the {title}. Nothing was {'sent' if pays else 'changed'}."


def one_by_one(number: int) -> str:
    """Several operations were asked for in one message."""
    return f"I take these {number} one after the other."


def changed_to(named: Choice, title: str) -> str:
    """Another was named than the one that a bill is paid to."""
    what = "an account of yours" if named.kind == "own_account" else "a person on your list and not a company"
    return f"{named.label} is {what}, so this is a {title}."


def resumed(title: str) -> str:
    """A flow that waited and is taken up."""
    return f"Next, your {title}."


def not_later(title: str) -> str:
    """A date where a flow has none."""
    return f"I can make a {title} now only, not on another day and not again and again, so I have not begun it."


def too_many(most: int) -> str:
    """More flows at once than are kept."""
    return f"I keep {most} things open at once. Let us finish one of them first."


def next_steps(prompt: Prompt | None, pending: Shown | None) -> tuple[str, ...]:
    """Texts that answer the open question when they are sent as a message."""
    if prompt is None:
        return ()
    if prompt.asks == "person":
        return ("Yes", "No")
    if prompt.asks == "approval":
        return ("Cancel",) if pending is None or pending.requires else ("Yes", "Cancel")
    return (*(one.label for one in prompt.choices[:4]), "Cancel")


def _listed(choices: Sequence[Choice], word: str) -> str:
    labels = [one.label for one in choices]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} {word} {labels[-1]}"
