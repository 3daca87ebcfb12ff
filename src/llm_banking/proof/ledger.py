"""Whether the ledger does what its model does, over very many random operations (`llm-banking proof ledger`)."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import ledger_store
from llm_banking.banking.errors import (
    AccountNotFoundError,
    EntryConflictError,
    HoldNotFoundError,
    InsufficientFundsError,
    NotReversibleError,
)
from llm_banking.banking.invariants import INVARIANTS, broken_rules
from llm_banking.banking.ledger import EntryInvalidError
from llm_banking.banking.ledger_models import Account
from llm_banking.banking.ledger_store import Posted
from llm_banking.identity.models import User
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, limit_sight
from llm_banking.kit.embedded import embedded_postgres
from llm_banking.kit.errors import LlmBankingError
from llm_banking.migrations import upgrade
from llm_banking.proof.bench import machine
from llm_banking.proof.ledger_model import Model, Operation, Post, RandomOperations, Release, SetAside, new_model

RESULTS_FILE = "ledger.json"
OPERATIONS = 1_000_000
A_ROUND = 5_000
"""Operations on one set of accounts; then all of its invariants are checked and another set begins."""
A_TRANSACTION = 250

_WORD: dict[type[LlmBankingError], str] = {
    AccountNotFoundError: "unknown_account",
    EntryConflictError: "id_reused",
    EntryInvalidError: "wrong_currency",
    HoldNotFoundError: "unknown_hold",
    InsufficientFundsError: "insufficient_funds",
    NotReversibleError: "not_reversible",
}
_DONE = {
    Post: ("posted", "already_posted"),
    SetAside: ("held", "already_held"),
    Release: ("released", "already_released"),
}


class LedgerDiffersError(LlmBankingError):
    """The ledger did something else than its model; the message says what, and with which seed it comes again."""


@dataclass
class Round:
    """A model and the rows that stand for it. `people` are the users of the model's numbers."""

    model: Model
    people: Sequence[UUID]
    operations: RandomOperations
    answers: Counter[str] = field(default_factory=Counter)

    @classmethod
    async def begin(cls, session: AsyncSession, seed: int) -> Round:
        """New people with new accounts."""
        rng = random.Random(seed)  # noqa: S311 - made-up operations, no secret
        model = new_model(rng)
        people = [UUID(int=rng.getrandbits(128), version=4) for _ in {one.person for one in model.accounts.values()}]
        await limit_sight(await session.connection(), visible_to=people)
        now = utc_now()
        persons = [{"id": one, "display_name": "Somebody", "account_type": "user", "created_at": now} for one in people]
        await session.execute(insert(User), persons)
        rows = [
            {
                "id": id_,
                "user_id": people[one.person],
                "kind": "checking",
                "name": "An account",
                "number_last4": "0000",
                "currency": one.currency,
                "floor_minor": one.floor_minor,
            }
            for id_, one in model.accounts.items()
        ]
        await session.execute(insert(Account), rows)
        return cls(model, people, RandomOperations(model, len(people), rng))

    async def step(self, session: AsyncSession) -> None:
        """One random operation, in the ledger and in the model. Raises LedgerDiffersError."""
        await self.apply(session, self.operations.draw())

    async def apply(self, session: AsyncSession, operation: Operation) -> None:
        """One operation, in the ledger and in the model. Raises LedgerDiffersError."""
        await limit_sight(await session.connection(), visible_to=[self.people[operation.person]])
        answer = await _answer(session, operation)
        allowed = self.model.apply(operation)
        self.answers[answer] += 1
        if answer not in allowed:
            raise LedgerDiffersError(f"The ledger answered {answer}, and the model {sorted(allowed)}: {operation}")

    async def check(self, session: AsyncSession) -> None:
        """Every account's balance and what is held of it are the model's. Raises LedgerDiffersError."""
        await limit_sight(await session.connection(), visible_to=self.people)
        rows = await session.execute(text("SELECT id, balance_minor, held_minor FROM accounts"))
        found = {id_: (balance, held) for id_, balance, held in rows}
        wanted = {id_: (one.balance_minor, one.held_minor) for id_, one in self.model.accounts.items()}
        if found != wanted:
            raise LedgerDiffersError("The ledger's balances are not the model's.")


async def _answer(session: AsyncSession, operation: Operation) -> str:
    try:
        match operation:
            case Post():
                done = await ledger_store.post(session, operation.entry, hold=operation.hold)
            case SetAside():
                done = await ledger_store.hold(
                    session,
                    operation.id,
                    account_id=operation.account,
                    amount=operation.amount,
                    reason="random",
                    expires_at=operation.expires_at,
                )
            case Release():
                done = await ledger_store.release(session, operation.id)
    except LlmBankingError as error:
        return _WORD[type(error)]
    return _DONE[type(operation)][done is Posted.EARLIER]


async def run_rounds(application: Database, owner: Database, operations: int, seed: int) -> dict[str, Any]:
    """So many random operations, all of them checked. Raises LedgerDiffersError."""
    answers: Counter[str] = Counter()
    done = 0
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("ledger operations", total=operations)
        while done < operations:
            async with application.transaction(visible_to=[]) as session:
                round_ = await Round.begin(session, seed + done)
            for _ in range(0, min(A_ROUND, operations - done), A_TRANSACTION):
                async with application.transaction(visible_to=[]) as session:
                    for _ in range(A_TRANSACTION):
                        await round_.step(session)
                done += A_TRANSACTION
                progress.update(bar, completed=done)
            async with application.transaction(visible_to=[]) as session:
                await round_.check(session)
            answers += round_.answers
    async with owner.engine.connect() as connection:
        broken = await broken_rules(connection)
    if broken:
        raise LedgerDiffersError(f"After {done} operations these rules do not hold: {', '.join(broken)}.")
    return {"operations": done, "seed": seed, "answers": dict(answers.most_common()), "rules": list(INVARIANTS)}


def run_ledger(out: Path, operations: int = OPERATIONS, seed: int = 1) -> Mapping[str, Any]:
    """Random operations on a new database; the figures, which are also written to `out`. Raises LedgerDiffersError."""
    started = time.monotonic()
    with TemporaryDirectory(prefix="llmb-") as home, embedded_postgres(Path(home)) as postgres:
        upgrade(postgres.owner)
        figures = asyncio.run(_in_one_loop(postgres.application, postgres.owner, operations, seed))
    document = {
        "machine": machine(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        **figures,
        "seconds": round(time.monotonic() - started),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


async def _in_one_loop(application_url: str, owner_url: str, operations: int, seed: int) -> dict[str, Any]:
    application, owner = Database(application_url, max_pool_size=1), Database(owner_url, max_pool_size=1)
    try:
        return await run_rounds(application, owner, operations, seed)
    finally:
        await application.close()
        await owner.close()
