"""Customers who move money over HTTP while processes are killed, and who remember what they were told.

A client asks again, under the same key, until it is answered. Some of its requests it sends and hangs up before the
answer; some it repeats although they were answered, and compares the answers.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

REQUEST_TIMEOUT_S = 10.0
GIVE_UP_S = 120.0
PAUSE_S = 0.1
"""Before a request is sent again."""
THINK_S = 0.02
"""Between two operations of a client, on average: the clients share the machine with the servers."""
DROPPED = 0.05
REPEATED = 0.05
MAX_AMOUNT_MINOR = 100
MAX_PROBLEMS = 100
BY_KEY, BY_BUTTON, CALLED_OFF = "confirmed under a key", "confirmed by the button", "called off"
PLANNED = "planned for a day"
"""Approved once, and made by the worker when it is due."""
_WAYS = (BY_KEY, BY_BUTTON, CALLED_OFF)
_WAY_WEIGHTS = (7, 2, 1)


@dataclass(frozen=True, slots=True)
class Person:
    """A customer: a token, two accounts, and payees with the account of each."""

    id: UUID
    token: str = field(repr=False)
    checking: UUID
    savings: UUID
    payees: Mapping[UUID, UUID]


@dataclass(slots=True)
class Order:
    """What a customer wants once, and what they were told of it."""

    person: Person
    body: dict[str, str]
    payer: UUID
    receiver: UUID
    amount_minor: int
    way: str
    operation_id: UUID | None = None
    """Known once the proposal was acknowledged."""
    receipt: dict[str, Any] | None = None
    """The acknowledgement: of the execution, that it was called off, or that it is planned."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that may be sent again as it is."""

    person: Person
    path: str
    body: Mapping[str, Any]
    key: str | None = None
    method: Literal["POST", "GET"] = "POST"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read to its end."""

    status: int
    code: str
    data: dict[str, Any]


@dataclass(slots=True)
class Notebook:
    """What all clients together were told. Lists only grow."""

    orders: list[Order] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        """One more of these."""
        with self._lock:
            self.answers[what] += 1

    def wrong(self, what: str) -> None:
        """Something that must not be."""
        with self._lock:
            self.answers["problems"] += 1
            if len(self.problems) < MAX_PROBLEMS:
                self.problems.append(what)

    def acknowledged(self) -> list[Order]:
        """Orders of which the customer holds a receipt."""
        return [one for one in self.orders if one.receipt is not None]


class Line:
    """One client's connection, opened again whenever it broke."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=REQUEST_TIMEOUT_S)

    def ask(self, sent: Sent) -> Answer | None:
        """The answer, or None where it is not known whether the request was worked on."""
        try:
            self._send(sent)
            with self._connection.getresponse() as response:
                found = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            return None
        error = found.get("error") or {}
        return Answer(response.status, error.get("code", ""), found.get("data") or {})

    def drop(self, sent: Sent, after_s: float = 0.0) -> None:
        """Send it, and hang up without reading an answer."""
        try:
            self._send(sent)
            time.sleep(after_s)
        except (OSError, http.client.HTTPException):
            pass  # whether it arrived is what a client that hangs up does not know
        finally:
            self._connection.close()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _send(self, sent: Sent) -> None:
        headers = {"Authorization": f"Bearer {sent.person.token}", "Content-Type": "application/json"}
        if sent.key is not None:
            headers["Idempotency-Key"] = sent.key
        body = json.dumps(sent.body).encode() if sent.method == "POST" else None
        self._connection.request(sent.method, sent.path, body, headers)


class Client:
    """One customer's device."""

    def __init__(self, url: str, person: Person, notebook: Notebook, seed: int) -> None:
        self._line = Line(url)
        self._person = person
        self._notebook = notebook
        self._rng = random.Random(seed)  # noqa: S311 - made-up payments, no secret
        self._answered: list[tuple[Sent, dict[str, Any]]] = []
        self.served: list[tuple[float, float]] = []
        """Of each acknowledged operation, when its last request was sent and when it was answered."""

    def run(self, over: threading.Event) -> None:
        """Make orders until it is over; what was begun is finished."""
        while not over.is_set():
            self._order()
            time.sleep(self._rng.expovariate(1 / THINK_S))

    def repeat(self, most: int) -> int:
        """Ask for some of what was answered before again, from first to last; how many."""
        chosen = self._rng.sample(self._answered, min(most, len(self._answered)))
        for sent, data in chosen:
            self._again(sent, data)
        return len(chosen)

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _order(self) -> None:
        order = order_of(self._person, self._rng)
        self._notebook.orders.append(order)
        proposed = self._insist(Sent(order.person, "/api/v2/operations", order.body, uuid4().hex))
        if proposed is None:
            return
        order.operation_id = UUID(proposed["id"])
        if order.way == BY_KEY:
            done = self._insist(Sent(order.person, f"/api/v2/operations/{order.operation_id}/confirm", {}, uuid4().hex))
        else:
            done = self._by_button(order)
        if done is None:
            return
        wanted = "voided" if order.way == CALLED_OFF else "executed"
        if done["status"] != wanted:
            self._notebook.wrong(f"an operation that was {order.way} is {done['status']}")
            return
        order.receipt = done

    def _by_button(self, order: Order) -> dict[str, Any] | None:
        """A button has no key: who is told that it was pressed before looks what became of it."""
        press = {"approve": order.way == BY_BUTTON}
        path = f"/api/v2/chat/confirmations/{order.operation_id}"
        done = self._insist(Sent(order.person, path, press), decided_before=True)
        if done is not None:
            return done
        return self._insist(Sent(order.person, f"/api/v2/operations/{order.operation_id}", {}, method="GET"))

    def _insist(self, sent: Sent, *, decided_before: bool = False) -> dict[str, Any] | None:
        """Ask until it is answered; what is answered, or None for a refusal, which is noted where it is not expected.

        With `decided_before` a refusal as decided already is expected once an earlier request may have arrived.
        """
        unknown, gives_up = 0, time.monotonic() + GIVE_UP_S
        while time.monotonic() < gives_up:
            if self._rng.random() < DROPPED:
                self._line.drop(sent, self._rng.uniform(0, 0.02))
                self._notebook.count("hung up on")
                unknown += 1
            began = time.monotonic()
            answer = self._line.ask(sent)
            if answer is None:
                self._notebook.count("no answer")
                unknown += 1
            else:
                self._notebook.count(f"{answer.status} {answer.code}".strip())
                if answer.status in (200, 201):
                    return self._settled(sent, answer.data, began, unknown)
                if decided_before and unknown and answer.code == "CONFLICT":
                    return None
                if answer.status != 503 and answer.code != "IDEMPOTENCY_IN_FLIGHT":
                    self._notebook.wrong(f"{_route(sent)} was answered {answer.status} {answer.code}")
                    return None
            time.sleep(PAUSE_S)
        self._notebook.wrong(f"{_route(sent)} was not answered for {GIVE_UP_S:g} s")
        return None

    def _settled(self, sent: Sent, data: dict[str, Any], began: float, unknown: int) -> dict[str, Any]:
        if data["status"] in ("executed", "voided"):
            self.served.append((began, time.monotonic()))
        if sent.key is not None:
            self._answered.append((sent, data))
            if unknown or self._rng.random() < REPEATED:
                self._again(sent, data)
            if unknown and len(self._answered) > 1:
                self._again(*self._answered[-2])
        return data

    def _again(self, sent: Sent, first: Mapping[str, Any]) -> None:
        """Repeat a request that was answered; the same answer or none is right."""
        answer = self._line.ask(sent)
        if answer is None or answer.status == 503:
            return
        self._notebook.count("repeated")
        if answer.data != first:
            self._notebook.wrong(f"{_route(sent)} was repeated and answered otherwise: {answer.status} {answer.code}")


def order_of(person: Person, rng: random.Random, way: str | None = None) -> Order:
    """Something that a customer might want: money between their own accounts, or to a payee."""
    amount_minor = rng.randint(1, MAX_AMOUNT_MINOR)
    plain = {"amount": f"{amount_minor // 100}.{amount_minor % 100:02d}", "currency": "USD"}
    if way is None:
        (way,) = rng.choices(_WAYS, _WAY_WEIGHTS)
    if rng.random() < 0.5:
        payer, receiver = rng.sample([person.checking, person.savings], 2)
        body = {"kind": "own_transfer", "from_account": str(payer), "to_account": str(receiver), **plain}
    else:
        payer = person.checking
        payee, receiver = rng.choice(list(person.payees.items()))
        body = {"kind": "payee_transfer", "from_account": str(payer), "payee_id": str(payee), **plain}
    return Order(person, body, payer, receiver, amount_minor, way)


def served_since(clients: Sequence[Client], moment: float) -> tuple[float | None, float | None]:
    """When the first and the last client got an operation acknowledged that was sent after a moment; None: not yet."""
    known = []
    for one in clients:
        place = bisect_left(one.served, (moment,))  # a client sends one after the other
        known += [answered for _, answered in one.served[place : place + 1]]
    return min(known, default=None), max(known) if len(known) == len(clients) else None


def _route(sent: Sent) -> str:
    """A request without the ids in its address."""
    words = ["{id}" if len(word) == 36 else word for word in sent.path.split("/")]
    return f"{sent.method} {'/'.join(words)}"
