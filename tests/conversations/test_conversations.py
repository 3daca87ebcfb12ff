"""Conversations written as files, each through the shipped model and the real database; a failing one is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest
import yaml
from fastapi import FastAPI
from httpx import AsyncClient
from pydantic import BaseModel, ConfigDict

from llm_banking.dialogue import commands, engine, filling, holdings, service, understanding
from llm_banking.dialogue.approval import is_bare_yes
from llm_banking.dialogue.engine import FlowTurn
from llm_banking.dialogue.escalation import Escalation
from llm_banking.dialogue.holdings import Holdings, Match
from llm_banking.dialogue.said import Part
from llm_banking.dialogue.tracker import Event
from llm_banking.dialogue.understanding import Understanding
from llm_banking.dialogue.work import Work
from llm_banking.kit.database import Database
from llm_banking.kit.money import Money
from llm_banking.nlu import clauses, payments
from llm_banking.operations.payment import Payment
from tests.conversations.stage import ACCOUNTS, CARDS_ACTIVE, Player, Stage, playing

FOLDER = Path(__file__).parent


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Press(_Form):
    """The button of the last confirmation is pressed, or that of somebody else's."""

    approve: bool
    factor: bool = False
    status: int = 200
    whose: Literal["own", "unknown"] = "own"


class Agent(_Form):
    """An agent of the bank takes the conversation, answers, gives it back; or the customer leaves by the button."""

    takes: bool = False
    says: str | None = None
    hands_back: bool = False
    is_left: bool = False


class Turn(_Form):
    """What is said or done, and what must and must not come back."""

    says: str | None = None
    agent: Agent | None = None
    handoff: Literal["none", "waiting", "taken"] | None = None
    """What the reply says of a person who answers."""
    silent: bool = False
    """The assistant says nothing."""
    press: Press | None = None
    wait_minutes: int = 0
    removes_payee: str | None = None
    elsewhere: bool = False
    """Said in another conversation of the same customer."""
    intent: str | None = None
    contains: list[str] = []
    lacks: list[str] = []
    cites: str | None = None
    asks_back: bool = False
    in_order: list[str] = []
    requests: list[str] | None = None
    pending: str | None = None
    """The kind of what waits for a yes; "none" where nothing may."""
    requires: list[str] | None = None


class Conversation(_Form):
    """Turns of one customer of the demo, of a guest, or (`signed_in`) of a customer with accounts and payees.

    Of the last kind it is told what was `done` in the end, what `moved` on each account, and what is `planned`; nothing
    where not said.
    """

    title: str
    customer: str | None = None
    signed_in: bool = False
    today: date | None = None
    """The day on which it is held; whenever the test runs, where not said."""
    turns: list[Turn]
    cards: dict[str, str] = CARDS_ACTIVE
    """The cards that there are, and their status in the beginning; in the end as `cards_after` says."""
    cards_after: dict[str, str] = {}
    done: list[str] = []
    moved: dict[str, str] = {}
    planned: list[str] = []


def problems(turn: Turn, data: dict[str, Any]) -> list[str]:
    """How a reply differs from what the turn asks for."""
    found = []
    if turn.intent is not None and data["intent"] != turn.intent:
        found.append(f"intent is {data['intent']}")
    found += [f"lacks {text!r}" for text in turn.contains if text not in data["response"]]
    found += [f"contains {text!r}" for text in turn.lacks if text in data["response"]]
    if turn.cites is not None and turn.cites not in [one["id"] for one in data["citations"]]:
        found.append(f"cites {data['citations']}")
    if turn.asks_back and "Which do you mean" not in data["response"]:
        found.append("does not ask back")
    if turn.handoff is not None:
        status = (data.get("handoff") or {"status": "none"})["status"]
        found += [f"handoff is {status}"] if status != turn.handoff else []
    found += [f"says {data['response']!r}"] if turn.silent != (data["response"] == "") else []
    places = [data["response"].find(text) for text in turn.in_order]
    if places != sorted(places) or -1 in places:
        found.append(f"{turn.in_order} stand at {places}")
    if turn.requests is not None:
        requests = [one["intent"] for one in data["metadata"]["requests"]]
        found += [f"requests are {requests}"] if requests != turn.requests else []
    return found + pending_problems(turn, data)


def pending_problems(turn: Turn, data: dict[str, Any]) -> list[str]:
    """How what waits for a yes differs; its text is always a part of the reply."""
    shown = data.get("pending")
    found = []
    if turn.pending is not None and (shown["kind"] if shown else "none") != turn.pending:
        found.append(f"pending is {shown}")
    if turn.requires is not None and (shown or {}).get("requires") != turn.requires:
        found.append(f"pending requires {(shown or {}).get('requires')}")
    if shown and shown["summary"] not in data["response"]:
        found.append("does not show the text of what is pending")
    return found


@dataclass
class Play:
    """A conversation under way."""

    client: AsyncClient
    body: dict[str, Any]
    headers: dict[str, str]
    stage: Stage
    player: Player | None
    session_id: str | None = None
    shown: dict[str, Any] | None = None
    transcript: list[str] = field(default_factory=list)

    async def take(self, turn: Turn) -> list[str]:
        """One turn; what was wrong with it. Nothing is done but by a bare yes to what was shown, or by its button."""
        self.stage.clock.advance(minutes=turn.wait_minutes)
        if turn.removes_payee and self.player:
            await self.player.close(turn.removes_payee)
        before = len(await self.player.operations()) if self.player else 0
        found = await self.desk(turn.agent) if turn.agent is not None else []
        found += await self.say(turn) if turn.says is not None else []
        if self.player and turn.says is not None:
            after = len(await self.player.operations())
            may = is_bare_yes(turn.says) and not turn.elsewhere and self._approvable
            found += ["money moved that nobody approved"] if after > before and not may else []
        if turn.says is not None and not turn.elsewhere:
            self._approvable = bool(self.shown) and not (self.shown or {}).get("requires")
        if turn.press is not None and self.player is not None:
            last = (await self.player.pending())[-1].id
            named = str(uuid4()) if turn.press.whose == "unknown" else str(last)
            status = await self.player.decide(named, approve=turn.press.approve, factor=turn.press.factor)
            self.transcript.append(f"* presses {turn.press.approve}: {status}")
            found += [f"the button gave {status}"] if status != turn.press.status else []
        return found

    _approvable: bool = False
    _agent: dict[str, str] | None = None
    _handoff: str | None = None

    async def desk(self, turn: Agent) -> list[str]:
        """What the agent does, or the customer's own button; nobody else's words reach the customer."""
        self._agent = self._agent or await self.stage.agent()
        path, found = f"/api/v2/agent/handoffs/{self._handoff}", []
        for wanted, where, body, sender in (
            (turn.takes, f"{path}/take", None, self._agent),
            (turn.says, f"{path}/reply", {"text": turn.says}, self._agent),
            (turn.hands_back, f"{path}/hand-back", None, self._agent),
            (turn.is_left, f"/api/v2/sessions/{self.session_id}/hand-back", None, self.headers),
        ):
            if wanted:
                done = await self.client.post(where, json=body, headers=sender)
                self.transcript.append(f"* {where.rpartition('/')[2]}: {turn.says or ''} {done.status_code}")
                found += [f"{where} gave {done.status_code}"] if done.status_code != 200 else []
        if turn.says:
            read = await self.client.get(f"/api/v2/sessions/{self.session_id}/messages", headers=self.headers)
            words = [one["content"] for one in read.json()["data"]["items"] if one["role"] == "agent"]
            found += [f"the customer reads {words}"] if turn.says not in words else []
        return found

    async def say(self, turn: Turn) -> list[str]:
        body = {**self.body, "message": turn.says}
        if self.session_id and not turn.elsewhere:
            body["session_id"] = self.session_id
        response = await self.client.post("/api/v2/chat", json=body, headers=self.headers)
        assert response.status_code == 200, response.text
        data = response.json()["data"]
        self.transcript += [f"> {turn.says}", f"  [{data['intent']}] {data['response']}"]
        if not turn.elsewhere:
            self.session_id, self.shown = data["session_id"], data["pending"]
            self._handoff = data["handoff"]["id"] if data["handoff"] else self._handoff
        return problems(turn, data)


def conversations() -> Iterator[Any]:
    """Every written conversation, checked for its form."""
    for path in sorted(FOLDER.rglob("*.yml")):
        parsed = Conversation.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        yield pytest.param(parsed, id=f"{path.parent.name}/{path.stem}")


async def differences(player: Player, conversation: Conversation) -> list[str]:
    """How the books differ in the end from what the conversation tells."""
    done = [one.kind for one in await player.operations()]
    found = [f"done is {done}"] if done != conversation.done else []
    cards = {**conversation.cards, **conversation.cards_after}
    found += [f"cards are {there}"] if (there := await player.cards()) != cards else []
    schedules = await player.schedules()
    found += [f"planned is {schedules}"] if schedules != conversation.planned else []
    for name, balance in (await player.balances()).items():
        moved = balance - Money.parse(ACCOUNTS[name][3], "USD").amount_minor
        told = Money.parse(conversation.moved.get(name, "0.00"), "USD").amount_minor
        found += [f"{moved} moved on {name}"] if moved != told else []
    return found


@pytest.mark.parametrize("conversation", list(conversations()))
async def test_a_conversation_goes_as_written(
    app: FastAPI, client: AsyncClient, database: Database, conversation: Conversation
) -> None:
    with playing(app, client, database, today=conversation.today) as stage:
        player = await stage.customer(conversation.cards) if conversation.signed_in else None
        body = {"user_id": conversation.customer} if conversation.customer else {}
        play = Play(client, body, player.headers if player else {}, stage, player)
        for number, turn in enumerate(conversation.turns, start=1):
            found = await play.take(turn)
            assert found == [], f"turn {number}: {found}\n" + "\n".join(play.transcript)
        if player is not None:
            assert await differences(player, conversation) == [], "\n".join(play.transcript)


async def keeps(self: FlowTurn) -> None:
    """A correction after which what was shown before still waits, and is what is shown."""


def anything(text: str) -> bool:
    return text.casefold().startswith(("yes", "ok"))


async def nobody(*_: Any) -> None:
    """There is never a person who answers."""


async def forgets(self: Escalation) -> tuple[str, tuple[Event, ...]]:
    """A person comes, and what waits for a yes goes on waiting."""
    return "", ()


def calls_off_by_the_verb(self: Understanding, part: Part, _: object) -> bool:
    return part.intent in ("cancel", "cancel_transfer")


def whole(choices: tuple[Any, ...]) -> Match:
    return Match(choices[:1], sure=bool(choices))


@pytest.mark.parametrize(
    ("place", "name", "fault", "file"),
    [
        (FlowTurn, "_void_shown", keeps, "corrections/another_amount_after_the_summary"),
        (engine, "is_bare_yes", anything, "attacks/yes_if"),
        (service, "open_handoff", nobody, "handoff/asks_for_a_person_and_the_assistant_is_silent"),
        (Escalation, "_stop", forgets, "handoff/the_old_button_does_nothing"),
        (
            Holdings,
            "match",
            lambda held, _, spec: whole(held.payee_choices(spec)),
            "attacks/a_payee_of_somebody_else",
        ),
        (understanding, "topic_of", lambda _: None, "digressions/the_fee_at_the_summary"),
        (payments, "QUOTED", re.compile(r"(?!)"), "attacks/a_mail_that_is_quoted"),
        (clauses, "_pays_on", lambda *_: False, "several_requests/two_kinds_of_bill"),
        (Work, "_become_what_fits", lambda *_: None, "corrections/a_bill_becomes_a_transfer"),
        (Payment, "told", Payment.summary, "happy_path/the_receipt"),
        (commands, "asks_for_planned", lambda _: False, "schedules/which_are_planned"),
        (holdings, "names_a_schedule", lambda _: False, "schedules/cancel_of_somebody_else"),
        (Understanding, "_calls_off", calls_off_by_the_verb, "schedules/cancel_asks_which"),
        (filling, "months_of", lambda _: 24, "loans/another_term_voids_what_was_shown"),
    ],
    ids=[
        "a correction that keeps the old",
        "a yes with a condition",
        "an assistant that answers beside a person",
        "a handoff that leaves what waits",
        "a name that is not on the list",
        "a question about this answered by the nearest entry",
        "what others say taken as said",
        "two payments read as one",
        "a person where a company is due",
        "a receipt in the words of the question",
        "a question about what is planned answered by the nearest entry",
        "a planned payment to somebody who is not on the list",
        "a cancel that names one taken as a cancel of the question",
        "a length of time that is not read anew",
    ],
)
async def test_a_conversation_sees_a_planted_fault(
    app: FastAPI,
    client: AsyncClient,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    fault: Any,
    file: str,
) -> None:
    monkeypatch.setattr(place, name, fault)
    if name == "is_bare_yes":
        monkeypatch.setattr(understanding, name, fault)
    written = yaml.safe_load((FOLDER / f"{file}.yml").read_text(encoding="utf-8"))
    with pytest.raises(AssertionError, match="turn "):
        await test_a_conversation_goes_as_written(app, client, database, Conversation.model_validate(written))


def test_there_are_conversations_of_every_kind() -> None:
    for name in (
        *("happy_path", "corrections", "cancellations", "clarifications", "attacks"),
        *("digressions", "expiry", "several_requests", "handoff", "schedules", "loans"),
    ):
        assert len(list((FOLDER / name).glob("*.yml"))) >= 8, name


def test_no_conversation_is_there_twice() -> None:
    said: dict[str, str] = {}
    for case in conversations():
        (conversation,) = case.values
        turns = conversation.model_dump_json(exclude={"title"})
        assert said.setdefault(turns, case.id) == case.id


def test_the_runner_sees_each_kind_of_difference() -> None:
    data: dict[str, Any] = {"intent": "greeting", "response": "Hello, $5.", "citations": [{"id": "greeting"}]}
    turn = Turn(says="x", intent="thanks", contains=["Bye"], lacks=["$"], cites="thanks", asks_back=True)
    assert len(problems(turn, data)) == 5
    data["metadata"] = {"requests": [{"intent": "greeting"}]}
    assert len(problems(Turn(says="x", in_order=["$5", "Hello"], requests=["thanks"]), data)) == 2
    assert problems(Turn(says="x", in_order=["Hello", "$5"], requests=["greeting"]), data) == []
    assert problems(Turn(says="x", intent="greeting", contains=["$5"], cites="greeting"), data) == []
    assert len(problems(Turn(says="x", pending="own_transfer", requires=["totp"]), data)) == 2
    data["pending"] = {"kind": "own_transfer", "requires": [], "summary": "Move $6"}
    assert len(problems(Turn(says="x", pending="none", requires=["totp"]), data)) == 3
