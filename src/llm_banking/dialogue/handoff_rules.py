"""When a conversation goes to a person: asked for, by the bank's rules as data, or because nothing is understood."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm_banking.dialogue.commands import PERSON, Answer, Command, HandOff
from llm_banking.kit.errors import ConfigurationError

Reason = Literal["request", "failure", "policy"]
OFFER_AFTER = 3
"""Messages in a row that nothing can be made of, until a person is offered."""
MAX_CHARS = 60
_BACK = re.compile(
    r"(?:please )?(?:(?:go|take me|bring me|put me|switch|hand me|i want|i would like|i'd like|let me|let's) )?"
    r"(?:(?:to )?(?:go )?back to|return to|continue with|go on with) (?:the |your )?"
    r"(?:assistant|bot|chat ?bot|robot|virtual assistant|automated assistant)(?: please)?"
    r"|(?:i )?(?:don't|do not) need (?:a|the) (?:person|human|agent) (?:any ?more|any longer)"
)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    always: frozenset[str]
    not_understood_in_a_row: int = Field(gt=OFFER_AFTER, le=20)
    open_at_most: int = Field(ge=1, le=100)


@dataclass(frozen=True, slots=True)
class HandoffRules:
    """The intents that always go to a person, and how many messages in a row that are not understood lead to one.

    `open_at_most` conversations of one customer are handed over at once.
    """

    always: frozenset[str]
    not_understood_in_a_row: int
    open_at_most: int

    def reason(self, commands: Sequence[Command]) -> Reason | None:
        """Why these commands lead to a person; None where they do not."""
        for command in commands:
            if isinstance(command, HandOff):
                return command.reason
            if isinstance(command, Answer) and command.intent == PERSON:
                return "request"
        if any(isinstance(one, Answer) and one.intent in self.always for one in commands):
            return "policy"
        return None


def load_handoff_rules(intents: frozenset[str], text: str | None = None) -> HandoffRules:
    """The shipped rules, or those of a text. Raises ConfigurationError where they cannot be used."""
    if text is None:
        text = resources.files("llm_banking.dialogue").joinpath("handoff.yml").read_text("utf-8")
    try:
        document = _Document.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigurationError(f"dialogue/handoff.yml cannot be used: {error}") from error
    unknown = sorted(document.always - intents)
    if unknown:
        raise ConfigurationError(f"dialogue/handoff.yml names unknown intents: {', '.join(unknown)}.")
    return HandoffRules(document.always, document.not_understood_in_a_row, document.open_at_most)


def wants_the_assistant(text: str) -> bool:
    """Whether a message asks for the assistant instead of the person, and for nothing else."""
    if len(text) > MAX_CHARS:
        return False
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return _BACK.fullmatch(" ".join(re.sub(r"[.,!]", " ", plain).split())) is not None
