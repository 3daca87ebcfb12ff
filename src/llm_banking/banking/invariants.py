"""What must always hold of the ledger, as queries that find what breaks it."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

INVARIANTS = {
    "every entry adds up": """
        SELECT entry_id FROM postings GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0
        """,
    "every entry has two legs": """
        SELECT id FROM ledger_entries LEFT JOIN postings ON entry_id = id GROUP BY id HAVING count(entry_id) < 2
        """,
    "balances are sums of postings": """
        SELECT id FROM accounts LEFT JOIN postings ON account_id = id WHERE kind <> 'internal'
        GROUP BY id HAVING balance_minor <> coalesce(sum(amount_minor), 0)
        """,
    "the newest posting says the balance": """
        SELECT id FROM accounts WHERE kind <> 'internal' AND balance_minor <> coalesce((
            SELECT balance_after_minor FROM postings JOIN ledger_entries ON ledger_entries.id = entry_id
            WHERE account_id = accounts.id AND balance_after_minor = balance_minor LIMIT 1
        ), 0)
        """,
    "what is held is in active holds": """
        SELECT accounts.id FROM accounts LEFT JOIN holds ON account_id = accounts.id AND holds.status = 'active'
        GROUP BY accounts.id HAVING held_minor <> coalesce(sum(holds.amount_minor), 0)
        """,
    "nothing is below its floor": """
        SELECT id FROM accounts WHERE kind <> 'internal' AND balance_minor - held_minor < floor_minor
        """,
}
"""By rule. Who asks must see all rows: the tables' owner, or a transaction of the scope `system`."""


async def broken_rules(connection: AsyncConnection | AsyncSession) -> list[str]:
    """The names of INVARIANTS that do not hold."""
    return [rule for rule, query in INVARIANTS.items() if (await connection.execute(text(query))).first() is not None]
