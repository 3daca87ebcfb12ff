"""A double-entry ledger that only its own functions write: the application may call them, and read what it may see.

An entry's postings add up to nothing in each currency; positive is a credit, so that a customer's money is positive and
what a customer owes is negative. Balances of customers' accounts are kept beside their postings, in the same statement;
those of the bank's own accounts are sums, so that no row is hot. Nothing posted is ever changed (ADR 0008).
"""

from __future__ import annotations

from importlib import resources

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROLE = "llm_banking_app_role"
KINDS = "'checking', 'savings', 'credit_card', 'loan', 'internal'"
FUNCTIONS = (
    "ledger_post(uuid, bytea, text, timestamptz, uuid[], text[], bigint[], text[], text[], uuid, uuid)",
    "ledger_hold(uuid, uuid, bigint, text, timestamptz)",
    "ledger_release(uuid)",
    "ledger_release_expired(integer)",
)
INTERNAL = ("outside", "fees", "interest", "bills", "disputes", "loans")
"""The bank's own accounts, one for each currency."""
_OF_ACCOUNT = "EXISTS (SELECT FROM accounts AS one WHERE one.id = account_id)"


def upgrade() -> None:
    _accounts()
    _tables()
    for statement in (
        resources.files("llm_banking.migrations").joinpath("ledger_0004.sql").read_text("utf-8").split("\n\n")
    ):
        op.execute(statement)
    _sight()
    _carry_over()


def _accounts() -> None:
    op.drop_constraint(op.f("ck_accounts_kind"), "accounts", type_="check")
    op.create_check_constraint(op.f("ck_accounts_kind"), "accounts", f"kind IN ({KINDS})")
    op.alter_column("accounts", "user_id", nullable=True)
    op.create_check_constraint(op.f("ck_accounts_owner"), "accounts", "(user_id IS NULL) = (kind = 'internal')")
    op.add_column("accounts", sa.Column("status", sa.String(length=8), nullable=False, server_default="open"))
    op.create_check_constraint(op.f("ck_accounts_status"), "accounts", "status IN ('open', 'frozen', 'closed')")
    for name in ("balance_minor", "held_minor"):
        op.add_column("accounts", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("floor_minor", sa.BigInteger(), nullable=True))
    op.create_check_constraint(op.f("ck_accounts_held_minor"), "accounts", "held_minor >= 0")
    names = ", ".join(f"'{name}'" for name in INTERNAL)
    plain = f"name IN ({names}) AND balance_minor = 0 AND held_minor = 0 AND floor_minor IS NULL"
    op.create_check_constraint(op.f("ck_accounts_internal"), "accounts", f"kind <> 'internal' OR ({plain})")


def _tables() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["reverses_id"], ["ledger_entries.id"], name=op.f("fk_ledger_entries_reverses_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_ledger_entries_reverses_id")),
    )
    op.create_table(
        "postings",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("leg", sa.SmallInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("balance_after_minor", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_postings_amount_minor")),
        sa.ForeignKeyConstraint(["entry_id"], ["ledger_entries.id"], name=op.f("fk_postings_entry_id_ledger_entries")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_postings_account_id_accounts")),
        sa.PrimaryKeyConstraint("entry_id", "leg", name=op.f("pk_postings")),
        sa.UniqueConstraint("entry_id", "account_id", name=op.f("uq_postings_entry_id_account_id")),
    )
    op.create_index("ix_postings_account_booked", "postings", ["account_id", "booked_at", "entry_id"])
    op.create_table(
        "holds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False, server_default="active"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_holds_amount_minor")),
        sa.CheckConstraint("status IN ('active', 'captured', 'released')", name=op.f("ck_holds_status")),
        sa.CheckConstraint("(status = 'captured') = (entry_id IS NOT NULL)", name=op.f("ck_holds_entry_id")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_holds_account_id_accounts")),
        sa.ForeignKeyConstraint(["entry_id"], ["ledger_entries.id"], name=op.f("fk_holds_entry_id_ledger_entries")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index("ix_holds_account_id", "holds", ["account_id"])
    op.create_index("ix_holds_expires_at", "holds", ["expires_at"], postgresql_where=sa.text("status = 'active'"))


def _sight() -> None:
    """The application reads what it may see. The ledger's functions run as the tables' owner, who sees it all."""
    rows = {
        "ledger_entries": "EXISTS (SELECT FROM postings AS one WHERE one.entry_id = id)",
        "postings": _OF_ACCOUNT,
        "holds": _OF_ACCOUNT,
    }
    for table, condition in rows.items():
        op.execute(f"GRANT SELECT ON {table} TO {ROLE}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY rows_of_a_user ON {table} USING ({condition}) WITH CHECK ({condition})")
    for table in (*rows, "accounts"):
        op.execute(f"CREATE POLICY the_ledger_itself ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
    op.execute(f"REVOKE INSERT ON accounts FROM {ROLE}")
    columns = "id, user_id, kind, name, number_last4, currency, floor_minor, created_at"
    op.execute(f"GRANT INSERT ({columns}) ON accounts TO {ROLE}")
    for function in ("ledger_internal_account(text, text)", *FUNCTIONS):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
    for function in FUNCTIONS:
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {ROLE}")


def _carry_over() -> None:
    """What was booked before there was a ledger came from outside the bank or went there."""
    op.execute(
        """
        INSERT INTO ledger_entries (id, body_hash, kind, booked_at)
        SELECT id, sha256(id::text::bytea), 'carried_over', booked_at FROM transactions
        """
    )
    op.execute(
        """
        INSERT INTO postings
            (entry_id, leg, account_id, amount_minor, currency, description, booked_at, balance_after_minor)
        SELECT one.id, 0, one.account_id, one.amount_minor, account.currency, one.description, one.booked_at,
            sum(one.amount_minor) OVER (PARTITION BY one.account_id ORDER BY one.booked_at, one.id)
        FROM transactions AS one JOIN accounts AS account ON account.id = one.account_id
        UNION ALL
        SELECT one.id, 1, ledger_internal_account('outside', account.currency), -one.amount_minor, account.currency,
            one.description, one.booked_at, NULL
        FROM transactions AS one JOIN accounts AS account ON account.id = one.account_id
        """
    )
    op.execute(
        """
        UPDATE accounts SET balance_minor = found.total
        FROM (SELECT account_id, sum(amount_minor) AS total FROM transactions GROUP BY account_id) AS found
        WHERE found.account_id = accounts.id
        """
    )
    op.execute(
        """
        UPDATE accounts SET floor_minor = CASE kind WHEN 'credit_card' THEN -1000000 ELSE 0 END
        WHERE kind <> 'internal'
        """
    )
    op.drop_table("transactions")


def downgrade() -> None:
    """Back to single postings: what an entry joined is no longer told."""
    op.create_table(
        "transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_transactions_amount_minor")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_transactions_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
    )
    op.create_index("ix_transactions_account_booked", "transactions", ["account_id", "booked_at"])
    op.execute(
        """
        INSERT INTO transactions (id, account_id, amount_minor, description, booked_at)
        SELECT md5(entry_id::text || leg)::uuid, account_id, amount_minor, description, booked_at
        FROM postings JOIN accounts ON accounts.id = account_id WHERE accounts.kind <> 'internal'
        """
    )
    op.execute("DROP POLICY rows_of_a_user ON ledger_entries")
    for function in (
        *FUNCTIONS,
        "ledger_internal_account(text, text)",
        "ledger_may_debit(uuid)",
        "ledger_reverses(uuid, uuid[], bigint[])",
    ):
        op.execute(f"DROP FUNCTION {function}")
    for table in ("holds", "postings", "ledger_entries"):
        op.drop_table(table)
    for trigger in ("ledger_entry_adds_up()", "ledger_leg_comes_with_its_entry()", "ledger_never_changes()"):
        op.execute(f"DROP FUNCTION {trigger}")
    op.execute("DROP POLICY the_ledger_itself ON accounts")
    _plain_accounts()
    _sight_of_transactions()


def _plain_accounts() -> None:
    op.execute("DELETE FROM accounts WHERE kind = 'internal'")
    op.drop_index("uq_accounts_internal", "accounts")
    for name in ("internal", "held_minor", "status", "owner", "kind"):
        op.drop_constraint(op.f(f"ck_accounts_{name}"), "accounts", type_="check")
    op.create_check_constraint(op.f("ck_accounts_kind"), "accounts", "kind IN ('checking', 'savings', 'credit_card')")
    for name in ("floor_minor", "held_minor", "balance_minor", "status"):
        op.drop_column("accounts", name)
    op.alter_column("accounts", "user_id", nullable=False)
    op.execute(f"GRANT INSERT ON accounts TO {ROLE}")


def _sight_of_transactions() -> None:
    op.execute(f"GRANT SELECT, INSERT ON transactions TO {ROLE}")
    op.execute("ALTER TABLE transactions ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE transactions FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY rows_of_a_user ON transactions USING ({_OF_ACCOUNT}) WITH CHECK ({_OF_ACCOUNT})")
