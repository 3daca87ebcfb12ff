"""Row-level security: a second wall behind the repositories' filters, and an application role that owns nothing.

A transaction says for whom it works in two settings of its own: `app.visible_user_ids`, the users whose rows it may see
and write, and `app.scopes`, what it may see whole. With neither, it sees nothing and its writes are refused (ADR 0007).
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROLE = "llm_banking_app_role"

GRANTS = {
    "alembic_version": "SELECT",
    "users": "SELECT, INSERT, UPDATE",
    "accounts": "SELECT, INSERT",
    "transactions": "SELECT, INSERT",
    "chat_sessions": "SELECT, INSERT, UPDATE (title, message_count, tracker, last_message_at), DELETE",
    "chat_messages": "SELECT, INSERT",
    "model_metrics": "SELECT, INSERT, UPDATE (user_feedback, user_comment)",
    "sign_in_failures": "SELECT, INSERT, UPDATE, DELETE",
    "token_families": "SELECT, INSERT, UPDATE, DELETE",
    "refresh_tokens": "SELECT, INSERT, UPDATE (used_at, replaced_by)",
    "revocations": "SELECT, INSERT, DELETE",
    "api_keys": "SELECT, INSERT, UPDATE",
    "totp_secrets": "SELECT, INSERT, UPDATE, DELETE",
    "webauthn_credentials": "SELECT, INSERT, UPDATE, DELETE",
    "step_up_challenges": "SELECT, INSERT, UPDATE, DELETE",
    "oidc_identities": "SELECT, INSERT, DELETE",
    "oidc_attempts": "SELECT, INSERT, DELETE",
}
"""What the code does to each table. Rows below a deleted one go by the foreign key's cascade, which needs no grant."""

_VISIBLE = "ANY ((SELECT visible_user_ids())::uuid[])"
"""A sub-select without outer references: PostgreSQL reads the setting once in a query, not once in a row."""
_IDENTITY = "(SELECT has_scope('identity'))"
_SYSTEM = "(SELECT has_scope('system'))"
_CREDENTIAL = f"user_id = {_VISIBLE} OR {_IDENTITY}"
_BUSINESS = f"user_id = {_VISIBLE} OR {_SYSTEM}"

ROWS_OF = {
    "users": f"id = {_VISIBLE} OR {_IDENTITY} OR {_SYSTEM}",
    "token_families": _CREDENTIAL,
    "refresh_tokens": "EXISTS (SELECT FROM token_families AS one WHERE one.id = family_id)",
    "api_keys": _CREDENTIAL,
    "totp_secrets": _CREDENTIAL,
    "webauthn_credentials": _CREDENTIAL,
    "step_up_challenges": _CREDENTIAL,
    "oidc_identities": _CREDENTIAL,
    "accounts": _BUSINESS,
    "transactions": "EXISTS (SELECT FROM accounts AS one WHERE one.id = account_id)",
    "chat_sessions": _BUSINESS,
    "chat_messages": "EXISTS (SELECT FROM chat_sessions AS one WHERE one.id = session_id)",
    "model_metrics": "EXISTS (SELECT FROM chat_messages AS one WHERE one.id = query_id)",
}
"""When a row may be seen and written. A row that hangs on another is as visible as that one: its policy is applied."""


def upgrade() -> None:
    _role()
    _functions()
    for table, privileges in GRANTS.items():
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
    for table, condition in ROWS_OF.items():
        _force(table)
        op.execute(f"CREATE POLICY rows_of_a_user ON {table} USING ({condition}) WITH CHECK ({condition})")
    _force("revocations")
    op.execute("CREATE POLICY anyone_reads ON revocations FOR SELECT USING (true)")
    op.execute("CREATE POLICY anyone_adds ON revocations FOR INSERT WITH CHECK (true)")
    op.execute("CREATE POLICY only_expired_ones_go ON revocations FOR DELETE USING (expires_at < now())")


def _role() -> None:
    """Roles belong to the server, not to a database: another database's migration may have made it, or make it now."""
    op.execute(
        f"""
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
                CREATE ROLE {ROLE} NOLOGIN;
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'the role {ROLE} is missing and this role may not create it; '
                    'an administrator runs: CREATE ROLE {ROLE} NOLOGIN';
        END
        $$
        """
    )


def _functions() -> None:
    op.execute(
        """
        CREATE FUNCTION visible_user_ids() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
        RETURN coalesce(nullif(current_setting('app.visible_user_ids', true), ''), '{}')::uuid[]
        """
    )
    op.execute(
        """
        CREATE FUNCTION has_scope(wanted text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
        RETURN wanted = ANY (coalesce(nullif(current_setting('app.scopes', true), ''), '{}')::text[])
        """
    )


def _force(table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    """The role stays: other databases of the server may use it."""
    for policy in ("anyone_reads", "anyone_adds", "only_expired_ones_go"):
        op.execute(f"DROP POLICY {policy} ON revocations")
    for table in ROWS_OF:
        op.execute(f"DROP POLICY rows_of_a_user ON {table}")
    for table in (*ROWS_OF, "revocations"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for table in GRANTS:
        op.execute(f"REVOKE ALL ON {table} FROM {ROLE}")
    op.execute("DROP FUNCTION has_scope(text)")
    op.execute("DROP FUNCTION visible_user_ids()")
