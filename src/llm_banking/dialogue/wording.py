"""What flows say. What an operation is, is never worded here: that text comes from the gate, as it was frozen."""

from __future__ import annotations

from collections.abc import Sequence

from llm_banking.dialogue.tracker import Choice, Prompt, Shown
from llm_banking.operations.records import Operation

FAULT = "Something went wrong on our side, so I stopped. Nothing was sent. Please start again, or ask for a person."
NOT_UNDERSTOOD = "I did not understand that."
OFFER_PERSON = (
    "I have not understood you several times in a row. If you would rather talk to a person, say “talk to a person”. "
    "We can also go on here."
)
NEEDS_FACTOR = (
    "A yes in the chat is not enough for this one. Confirm it with your second factor, by the button of the "
    "confirmation. Nothing was sent so far."
)
EXPIRED = "The time to confirm was over, and nothing was sent. Here it is once more."
NO_ACCOUNT = "You have no account that I could take the money from, so I have not begun it."
SAME_ACCOUNT = "The money cannot go to the account that it comes from."
STOPPED_FOR_PERSON = "I stopped what we were doing. Nothing was sent."
SIGN_IN = "I can do that for you right here once you are signed in. Sign in first, then ask me again."
_FACTORS = {"totp": "a code of your authenticator app", "webauthn": "your passkey"}


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
    """What was done, in the words that were approved."""
    lead = "Planned." if done.status == "scheduled" else "Done."
    return f"{lead} {done.summary} Your confirmation code is {done.confirmation_code}."


def done_elsewhere(shown: Shown, done: Operation | None) -> str:
    """What was approved by its button since it was shown."""
    word = "planned" if done is not None and done.status == "scheduled" else "done"
    return f"You have confirmed this, and it is {word}: {shown.summary}"


def cancelled(title: str) -> str:
    """A flow that its customer gave up."""
    return f"All right, I stopped the {title}. Nothing was sent."


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
    if prompt.asks == "approval":
        return ("Cancel",) if pending is None or pending.requires else ("Yes", "Cancel")
    return (*(one.label for one in prompt.choices[:4]), "Cancel")


def _listed(choices: Sequence[Choice], word: str) -> str:
    labels = [one.label for one in choices]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} {word} {labels[-1]}"
