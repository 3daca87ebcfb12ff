"""Entries: one answer per intent, checked at start-up against the intents and the facts."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from llm_banking.kit.errors import ConfigurationError
from llm_banking.knowledge.facts import Fact

_NUMBER_WORDS = re.compile(
    r"\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|"
    r"eighty|ninety|hundred|thousand|million|dozen|half|couple)\b",
    re.IGNORECASE,
)


class KnowledgeInvalidError(ConfigurationError):
    """An entry or fact cannot be used; the message names it and what is wrong."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    intent: str
    title: str = Field(min_length=3, max_length=80)
    ask: str = Field(min_length=3, max_length=120)
    text: str = Field(min_length=20, max_length=900)
    next_steps: list[str] = Field(min_length=1, max_length=3)


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer, rendered: no placeholder is left in `text`. `facts` names the facts it states."""

    intent: str
    title: str
    ask: str
    text: str
    next_steps: tuple[str, ...]
    facts: tuple[str, ...]


class Knowledge:
    """Every entry by intent, and every fact by name."""

    def __init__(self, entries: dict[str, Entry], facts: dict[str, Fact]) -> None:
        self._entries = entries
        self.facts = facts

    def entry(self, intent: str) -> Entry:
        """The entry of an intent; every intent of the taxonomy has one."""
        return self._entries[intent]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)


def _documents(folder: Traversable) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    facts = yaml.load((folder / "facts.yml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["facts"]
    entries: list[dict[str, Any]] = []
    for file in sorted((folder / "entries").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yml"):
            entries += yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["entries"]
    return facts, entries


def load_knowledge(intents: frozenset[str], folder: Traversable | None = None) -> Knowledge:
    """Read and check the bank's knowledge for a set of intents.

    Raises KnowledgeInvalidError when an intent has no entry or two, an entry names an unknown intent or fact,
    or states a figure itself instead of referring to a fact.
    """
    raw_facts, raw_entries = _documents(folder or resources.files("llm_banking.knowledge") / "data")
    try:
        facts = TypeAdapter(dict[str, Fact]).validate_python(raw_facts)
        parsed = TypeAdapter(list[_Entry]).validate_python(raw_entries)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise KnowledgeInvalidError(f"knowledge: {first['loc']}: {first['msg']}.") from None
    rendered = {name: fact.render() for name, fact in facts.items()}
    entries: dict[str, Entry] = {}
    for one in parsed:
        if one.intent in entries:
            raise KnowledgeInvalidError(f"knowledge: intent '{one.intent}' has two entries.")
        entries[one.intent] = _checked(one, intents, rendered)
    missing = sorted(intents - set(entries))
    if missing:
        raise KnowledgeInvalidError(f"knowledge: no entry for {', '.join(missing)}.")
    return Knowledge(entries, facts)


def _checked(one: _Entry, intents: frozenset[str], rendered: dict[str, str]) -> Entry:
    where = f"knowledge: entry '{one.intent}'"
    strangers = [name for name in (one.intent, *one.next_steps) if name not in intents]
    if strangers:
        raise KnowledgeInvalidError(f"{where} names unknown intents: {', '.join(strangers)}.")
    named = re.search(r"\d", one.title + one.ask)
    if named:
        raise KnowledgeInvalidError(f"{where} states '{named.group()}' itself in its title or ask.")
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(one.text) if name is not None]
    except ValueError as error:
        raise KnowledgeInvalidError(f"{where}: {error}. Write a fact as {{name}}.") from None
    used = tuple(dict.fromkeys(names))
    unknown = [name for name in used if name not in rendered]
    if unknown:
        raise KnowledgeInvalidError(f"{where} refers to unknown facts: {', '.join(unknown)}.")
    bare = string.Formatter().vformat(one.text, (), dict.fromkeys(used, ""))
    figure = re.search(r"\d", bare) or _NUMBER_WORDS.search(bare)
    if figure:
        raise KnowledgeInvalidError(f"{where} states '{figure.group()}' itself; make it a fact and refer to it.")
    text = string.Formatter().vformat(one.text, (), rendered)
    return Entry(one.intent, one.title, one.ask, text, tuple(one.next_steps), used)
