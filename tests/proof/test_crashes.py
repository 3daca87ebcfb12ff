"""Nothing that a customer was told is lost by a kill; and what would be lost, doubled or altered is seen."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from llm_banking.kit.database import Database, Scope
from llm_banking.proof.crash_bank import opening_balances
from llm_banking.proof.crash_clients import CALLED_OFF, PLANNED, Client, Notebook, Order, Person, served_since
from llm_banking.proof.crash_duplicates import duplicates
from llm_banking.proof.crash_judge import Verdict, judge_at_the_end
from llm_banking.proof.crash_processes import VICTIMS
from llm_banking.proof.crash_report import crash_parts, write_crashes
from llm_banking.proof.crashes import Acknowledged, Kill, Stage, act, staged, summary
from llm_banking.proof.report import ReportError, filled

ROOT = Path(__file__).parents[2]
Reply = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]


def person() -> Person:
    return Person(id=uuid4(), token="t", checking=uuid4(), savings=uuid4(), payees={uuid4(): uuid4()})


@contextmanager
def answering(reply: Reply) -> Iterator[str]:
    """A server that answers as told: `reply` gets the address and the body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
            status, answer = reply(self.path, body)
            sent = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # a client hung up, which is what it is there for
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    running.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        running.join()
        server.server_close()


# The clients


def one_order(url: str, *, seed: int = 1) -> Notebook:
    notebook, over = Notebook(), threading.Event()
    client = Client(url, person(), notebook, seed)
    thread = threading.Thread(target=client.run, args=[over])
    thread.start()
    while not (notebook.problems or notebook.acknowledged()):
        thread.join(0.01)
    over.set()
    thread.join()
    client.close()
    return notebook


def test_an_error_of_the_server_is_a_problem_and_a_moment_of_absence_is_none() -> None:
    asked = count()

    def reply(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if next(asked) < 3:
            return 503, {"error": {"code": "DATABASE_UNAVAILABLE"}}
        return 500, {"error": {"code": "INTERNAL"}}

    with answering(reply) as url:
        notebook = one_order(url)
    assert notebook.problems[0] == "POST /api/v2/operations was answered 500 INTERNAL"
    assert notebook.answers["503 DATABASE_UNAVAILABLE"] == 3
    assert not notebook.acknowledged()


def test_an_answer_that_changes_is_a_problem() -> None:
    """Planted: a server that does anew what it is asked again."""

    def reply(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status = "executed" if path.endswith("confirm") or body.get("approve") else "pending"
        status = "voided" if body.get("approve") is False else status
        return 200, {"data": {"id": str(uuid4()), "status": status}}

    with answering(reply) as url:
        notebook = Notebook()
        found = duplicates(url, person(), notebook, copies=6)
        assert (found["holds"], found["replies_identical"], found["changed_body"]) == (False, False, "200")
        over, client = threading.Event(), Client(url, person(), notebook, 5)
        thread = threading.Thread(target=client.run, args=[over])
        thread.start()
        while not notebook.problems:
            thread.join(0.01)
        over.set()
        thread.join()
        assert client.repeat(1) == 1
        client.close()
    assert "was repeated and answered otherwise: 200" in notebook.problems[0]


def test_somebody_is_served_again_when_a_request_sent_afterwards_is_answered() -> None:
    clients = [Client("http://127.0.0.1:1", person(), Notebook(), 1) for _ in range(2)]
    clients[0].served += [(1.0, 2.0), (3.0, 4.0)]
    assert served_since(clients, 0.5) == (2.0, None)
    assert served_since(clients, 1.5) == (4.0, None), "what was sent before the moment does not count"
    assert served_since(clients, 3.5) == (None, None)
    clients[1].served.append((3.5, 9.0))
    assert served_since(clients, 1.5) == (4.0, 9.0)


def test_what_was_acknowledged_is_judged_once() -> None:
    who, notebook = person(), Notebook()
    notebook.orders += [Order(who, {}, who.checking, who.savings, 1, CALLED_OFF) for _ in range(3)]
    fresh = Acknowledged(notebook)
    assert fresh.taken() == []
    notebook.orders[1].receipt = {}
    assert fresh.taken() == [notebook.orders[1]]
    notebook.orders[0].receipt = {}
    notebook.orders.append(Order(who, {}, who.checking, who.savings, 1, CALLED_OFF, receipt={}))
    assert fresh.taken() == [notebook.orders[0], notebook.orders[3]]
    assert fresh.taken() == []


# The whole of it


@pytest.fixture
def folder() -> Iterator[Path]:
    """In a path that PostgreSQL's own user may pass, also where tests run as root."""
    with TemporaryDirectory(prefix="llmb-") as found:
        yield Path(found)


def judged(stage: Stage, orders: list[Order], opening: dict[Any, int] | None = None) -> Verdict:
    """What the judge says of these orders."""

    async def look() -> Verdict:
        database = Database(stage.database_url, max_pool_size=1)
        try:
            return await judge_at_the_end(database, orders, opening or opening_balances(stage.people))
        finally:
            await database.close()

    return asyncio.run(look())


def written(stage: Stage, statement: str, **values: Any) -> None:
    async def write() -> None:
        database = Database(stage.database_url, max_pool_size=1)
        try:
            async with database.transaction(scope=Scope.SYSTEM) as session:
                await session.execute(text(statement), values)
        finally:
            await database.close()

    asyncio.run(write())


def forget_news(stage: Stage, operation_id: Any) -> None:
    """Say of an operation twice what is to be said once."""
    again = (
        "INSERT INTO outbox (id, user_id, topic, payload, created_at)"
        " SELECT gen_random_uuid(), user_id, topic, payload, created_at FROM outbox"
        " WHERE payload ->> 'operation_id' = :id"
    )
    written(stage, again, id=str(operation_id))


@pytest.mark.slow
def test_nothing_is_lost_when_each_kind_of_process_is_killed(folder: Path) -> None:
    with staged(folder) as stage:
        same_key = duplicates(stage.url, stage.people[0], stage.notebook)
        done, verdict = act(stage, len(VICTIMS), seed=7)
        found = summary(stage, done, verdict, same_key, unsafe=False)
        assert found["faults"] == dict.fromkeys(found["faults"], 0), found["examples"]
        assert found["problems"] == []
        assert same_key["holds"], same_key
        assert {one.victim for one in done} >= set(VICTIMS)
        assert found["operations"]["acknowledged"] > len(VICTIMS)
        assert found["operations"]["planned"] > 0
        planted_plan(stage)
        planted(stage)
        planted_second_try(stage)


def planted(stage: Stage) -> None:
    """What must not be, told to the judge as if it were so."""
    orders = stage.notebook.orders
    first, other = [one for one in orders if one.way not in (CALLED_OFF, PLANNED)][:2]
    off = next(one for one in orders if one.way == CALLED_OFF)
    assert judged(stage, orders).faults.total() == 0
    never = replaced(first, operation_id=uuid4())
    assert judged(stage, [*orders, never]).faults["lost"] == 1
    told_executed = replaced(off, way=first.way)
    assert judged(stage, swapped(orders, off, told_executed)).faults["lost"] == 1
    for change in ({"amount_minor": first.amount_minor + 1}, {"receiver": uuid4()}, {"receipt": other.receipt}):
        assert judged(stage, swapped(orders, first, replaced(first, **change))).faults["altered"] == 1, change
    assert judged(stage, swapped(orders, first, replaced(first, way=CALLED_OFF))).faults["altered"] == 1
    untold = judged(stage, [one for one in orders if one is not first]).faults
    assert (untold["twice"], untold["unasked"], untold["news"]) == (1, 1, 1)
    opening = opening_balances(stage.people)
    opening[first.payer] += 1
    assert judged(stage, orders, opening).faults["ledger"] == 2, "the total, and the account"
    forget_news(stage, first.operation_id)
    assert judged(stage, orders).faults["news"] == 1


def planted_plan(stage: Stage) -> None:
    """The same of a planned payment."""
    orders = stage.notebook.orders
    plan = next(one for one in orders if one.way == PLANNED)
    executed = next(one for one in orders if one.way not in (CALLED_OFF, PLANNED))
    not_made = judged(stage, swapped(orders, executed, replaced(executed, way=PLANNED))).faults
    assert (not_made["lost"], not_made["altered"]) == (1, 1), "never made; and approved to be done at once"
    other = judged(stage, swapped(orders, plan, replaced(plan, receiver=uuid4()))).faults
    assert (other["altered"], other["lost"]) == (1, 0)
    untold = judged(stage, [one for one in orders if one is not plan]).faults
    assert (untold["twice"], untold["unasked"], untold["news"]) == (1, 2, 3)


def planted_second_try(stage: Stage) -> None:
    """A payment that was made is tried again. It cannot be taken back, so this comes last."""
    orders = stage.notebook.orders
    plan = next(one for one in orders if one.way == PLANNED)
    second_try = (
        "INSERT INTO payment_runs (schedule_id, number, attempt, due_on, status, reason, ran_at)"
        " SELECT schedule_id, number, 2, due_on, 'failed', 'x', ran_at FROM payment_runs WHERE schedule_id = :id"
    )
    written(stage, second_try, id=plan.operation_id)
    assert judged(stage, orders).faults["twice"] == 1


def replaced(order: Order, **changes: Any) -> Order:
    """An order of which something else was told."""
    found = deepcopy(order)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def swapped(orders: list[Order], one: Order, other: Order) -> list[Order]:
    return [other if order is one else order for order in orders]


@pytest.mark.slow
def test_what_an_unsafe_database_loses_is_found(folder: Path) -> None:
    """The planted fault: PostgreSQL acknowledges before it writes."""
    with staged(folder, unsafe=True) as stage:
        assert stage.durability["synchronous_commit"] == "off"
        done, verdict = act(stage, 2 * len(VICTIMS), seed=7, until_loss=True)
        found = summary(stage, done, verdict, {"holds": True}, unsafe=True)
    assert found["faults"]["lost"] > 0
    assert found["holds"]


# The figures


def test_a_run_holds_only_without_a_fault_and_in_time() -> None:
    stage = Stage("", "", {}, [], Path(), {})
    kills = [Kill("postmaster", 1.0, 2.0), Kill("postmaster", 3.0, 9.0)]
    judge = partial(summary, stage, unsafe=False)
    found = judge(kills, Verdict(), {"holds": True})
    assert found["holds"]
    (row,) = [one for one in found["victims"] if one["victim"] == "postmaster"]
    assert row == {
        "victim": "postmaster",
        "kills": 2,
        "first_s": {"median": 2.0, "max": 3.0},
        "everybody_s": {"median": 5.5, "max": 9.0},
    }
    assert not judge([Kill("worker", 5.1, 5.2)], Verdict(), {"holds": True})["holds"]
    assert not judge(kills, Verdict(), {"holds": False})["holds"]
    lost = Verdict()
    lost.add("lost", "x")
    assert not judge(kills, lost, {"holds": True})["holds"]
    assert summary(stage, kills, lost, {"holds": True}, unsafe=True)["holds"]
    assert not summary(stage, kills, Verdict(), {"holds": True}, unsafe=True)["holds"]
    stage.notebook.wrong("x")
    assert not judge(kills, Verdict(), {"holds": True})["holds"]


def test_the_document_shows_the_figures_and_that_they_hold(tmp_path: Path) -> None:
    durable, unsafe = (
        json.loads((ROOT / "results" / name).read_text(encoding="utf-8"))
        for name in ("crashes.json", "crashes-unsafe.json")
    )
    shown = (ROOT / "docs" / "06-infrastructure.md").read_text(encoding="utf-8")
    assert filled(shown, crash_parts(durable, unsafe)) == shown, "run: make evidence"
    assert durable["faults"] == dict.fromkeys(durable["faults"], 0)
    assert durable["problems"] == []
    assert durable["kills"] >= 100
    assert unsafe["holds"]
    durable["kills"] += 1
    assert filled(shown, crash_parts(durable, unsafe)) != shown
    with pytest.raises(ReportError, match="proof crashes"):
        write_crashes(tmp_path, tmp_path / "x.md")
