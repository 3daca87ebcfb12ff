"""One request, sent many times at once under one Idempotency-Key; half of the clients hang up before the answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from llm_banking.kit.errors import LlmBankingError
from llm_banking.proof.crash_clients import BY_KEY, GIVE_UP_S, PAUSE_S, Answer, Line, Notebook, Order, Person, Sent

COPIES = 50
HANG_UP_WITHIN_S = 0.25
"""The clients that hang up do so at moments spread over this time."""


class NotAnsweredError(LlmBankingError):
    """A request was not answered in all the time that a client takes."""

    code = "ENGINE_UNAVAILABLE"


def duplicates(url: str, person: Person, notebook: Notebook, copies: int = COPIES) -> dict[str, Any]:
    """Propose and confirm one operation, each `copies` times at once; figures, and in `holds` whether all is right.

    The operation goes into the notebook, so that whoever judges that counts its effects. Raises NotAnsweredError.
    """
    order = Order(person, _body(person, "0.25"), person.checking, person.savings, 25, BY_KEY)
    notebook.orders.append(order)
    proposal = Sent(person, "/api/v2/operations", order.body, uuid4().hex)
    proposed = _at_once(url, proposal, copies)
    order.operation_id = UUID(proposed[0].data["id"])
    confirmation = Sent(person, f"/api/v2/operations/{order.operation_id}/confirm", {}, uuid4().hex)
    confirmed = _at_once(url, confirmation, copies)
    order.receipt = confirmed[0].data
    line = Line(url)
    try:
        later = [_answered(line, one) for one in (proposal, confirmation)]
        changed = _answered(line, replace(proposal, body=_body(person, "0.26")))
        elsewhere = _answered(line, replace(confirmation, key=proposal.key))
    finally:
        line.close()
    same = [_all_alike([*proposed, later[0]], 201), _all_alike([*confirmed, later[1]], 200)]
    refused = [f"{one.status} {one.code}".strip() for one in (changed, elsewhere)]
    return {
        "copies": copies,
        "hung_up_on": copies - len(confirmed),
        "replies_identical": all(same),
        "changed_body": refused[0],
        "key_of_another_request": refused[1],
        "holds": all(same) and set(refused) == {"422 IDEMPOTENCY_MISMATCH"},
    }


def _body(person: Person, amount: str) -> dict[str, str]:
    accounts = {"from_account": str(person.checking), "to_account": str(person.savings)}
    return {"kind": "own_transfer", "amount": amount, "currency": "USD", **accounts}


def _at_once(url: str, sent: Sent, copies: int) -> list[Answer]:
    """What those that did not hang up were answered."""
    together = threading.Barrier(copies)

    def one(number: int) -> Answer | None:
        line = Line(url)
        together.wait()
        try:
            if number % 2 == 0:
                line.drop(sent, HANG_UP_WITHIN_S * number / copies)
                return None
            return _answered(line, sent)
        finally:
            line.close()

    with ThreadPoolExecutor(copies) as pool:
        return [answer for answer in pool.map(one, range(copies)) if answer is not None]


def _answered(line: Line, sent: Sent) -> Answer:
    gives_up = time.monotonic() + GIVE_UP_S
    while time.monotonic() < gives_up:
        answer = line.ask(sent)
        if answer is not None and answer.status != 503 and answer.code != "IDEMPOTENCY_IN_FLIGHT":
            return answer
        time.sleep(PAUSE_S)
    raise NotAnsweredError(f"The server did not answer for {GIVE_UP_S:g} s. Look at its log.")


def _all_alike(answers: Sequence[Answer], status: int) -> bool:
    return all((one.status, one.data) == (status, answers[0].data) for one in answers)
