"""Conversations that a person answers: the queue, agents' messages, and what an agent may see (ADR 0014).

An agent works in the scope `agent` under their own id: they see what waits, and the conversations that they have taken
for as long as these are open. They add messages of their own role to them and change nothing else of them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None

ROLE = "llm_banking_app_role"
_VISIBLE = "ANY ((SELECT visible_user_ids())::uuid[])"
_AGENT = "(SELECT has_scope('agent'))"
_SYSTEM = "(SELECT has_scope('system'))"
_OF_USER = f"user_id = {_VISIBLE} OR {_SYSTEM}"
_WAITS_OR_MINE = f"{_AGENT} AND (status = 'waiting' OR (status = 'taken' AND taken_by = {_VISIBLE}))"
_IN_MY_HANDS = (
    f"{_AGENT} AND EXISTS (SELECT FROM handoffs AS one WHERE one.session_id = chat_sessions.id "
    f"AND one.status = 'taken' AND one.taken_by = {_VISIBLE})"
)
_NEWS_OF_MINE = (
    f"{_AGENT} AND topic LIKE 'handoff.%' AND EXISTS (SELECT FROM handoffs AS one WHERE one.user_id = outbox.user_id "
    f"AND one.taken_by = {_VISIBLE})"
)
POLICIES = {
    "handoffs": {
        "rows_of_a_user": f"USING ({_OF_USER}) WITH CHECK ({_OF_USER})",
        "agents_see": f"FOR SELECT USING ({_AGENT} AND (status = 'waiting' OR taken_by = {_VISIBLE}))",
        "agents_take": f"FOR UPDATE USING ({_WAITS_OR_MINE}) WITH CHECK ({_AGENT} AND taken_by = {_VISIBLE})",
    },
    "chat_sessions": {
        "agents_see_what_they_took": f"FOR SELECT USING ({_IN_MY_HANDS})",
        "agents_count_in_what_they_took": f"FOR UPDATE USING ({_IN_MY_HANDS}) WITH CHECK ({_IN_MY_HANDS})",
    },
    "chat_messages": {
        "agents_speak_as_agents": (
            f"AS RESTRICTIVE FOR INSERT WITH CHECK ({_SYSTEM} OR ((role = 'agent') = {_AGENT} "
            f"AND (author_id IS NULL OR author_id = {_VISIBLE})))"
        ),
    },
    "outbox": {"news_of_agents": f"USING ({_NEWS_OF_MINE}) WITH CHECK ({_NEWS_OF_MINE})"},
}


def upgrade() -> None:
    op.add_column("chat_messages", sa.Column("author_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_chat_messages_author_id_users"), "chat_messages", "users", ["author_id"], ["id"])
    op.drop_constraint(op.f("ck_chat_messages_role"), "chat_messages")
    op.create_check_constraint(op.f("ck_chat_messages_role"), "chat_messages", "role IN ('user', 'assistant', 'agent')")
    op.create_check_constraint(
        op.f("ck_chat_messages_author_id"), "chat_messages", "(role = 'agent') = (author_id IS NOT NULL)"
    )
    _handoffs()
    op.execute(f"GRANT SELECT, INSERT, UPDATE (status, taken_by, taken_at, closed_at) ON handoffs TO {ROLE}")
    op.execute("ALTER TABLE handoffs ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE handoffs FORCE ROW LEVEL SECURITY")
    for table, policies in POLICIES.items():
        for name, rule in policies.items():
            op.execute(f"CREATE POLICY {name} ON {table} {rule}")
    _agents_only_count()


def _handoffs() -> None:
    op.create_table(
        "handoffs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=8), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reason IN ('request', 'failure', 'policy')", name=op.f("ck_handoffs_reason")),
        sa.CheckConstraint(
            "CASE status WHEN 'waiting' THEN num_nonnulls(taken_by, taken_at, closed_at) = 0 "
            "WHEN 'taken' THEN num_nulls(taken_by, taken_at) = 0 AND closed_at IS NULL "
            "WHEN 'closed' THEN closed_at IS NOT NULL AND (taken_by IS NULL) = (taken_at IS NULL) ELSE false END",
            name=op.f("ck_handoffs_status"),
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["chat_sessions.id"], name=op.f("fk_handoffs_session_id_chat_sessions"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_handoffs_user_id_users")),
        sa.ForeignKeyConstraint(["taken_by"], ["users.id"], name=op.f("fk_handoffs_taken_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handoffs")),
    )
    op.create_index(
        "uq_handoffs_open", "handoffs", ["session_id"], unique=True, postgresql_where=sa.text("status <> 'closed'")
    )
    op.create_index(
        "ix_handoffs_queue", "handoffs", ["created_at", "id"], postgresql_where=sa.text("status <> 'closed'")
    )
    op.create_index("ix_handoffs_session_id", "handoffs", ["session_id"])
    op.create_index("ix_handoffs_user_taken", "handoffs", ["user_id", "taken_by"])


def _agents_only_count() -> None:
    """A policy cannot name columns, and the role may write the tracker, where it stands what a yes would mean."""
    op.execute(
        """
        CREATE FUNCTION agents_only_count() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF has_scope('agent') AND NOT has_scope('system') AND
                (to_jsonb(OLD) - ARRAY['message_count', 'last_message_at'])
                    <> (to_jsonb(NEW) - ARRAY['message_count', 'last_message_at'])
            THEN
                RAISE EXCEPTION 'an agent adds messages to a conversation and changes nothing else of it'
                    USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'agents_only_count';
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER agents_only_count BEFORE UPDATE ON chat_sessions "
        "FOR EACH ROW EXECUTE FUNCTION agents_only_count()"
    )


def downgrade() -> None:
    """Agents' messages cannot be told from others' any more, so they go; message counts follow."""
    op.execute("DROP TRIGGER agents_only_count ON chat_sessions")
    op.execute("DROP FUNCTION agents_only_count()")
    for table, policies in POLICIES.items():
        for name in policies:
            op.execute(f"DROP POLICY {name} ON {table}")
    op.drop_table("handoffs")
    op.execute("DELETE FROM chat_messages WHERE role = 'agent'")
    op.execute(
        "UPDATE chat_sessions AS one SET message_count = (SELECT count(*) FROM chat_messages WHERE session_id = one.id)"
    )
    op.drop_constraint(op.f("ck_chat_messages_author_id"), "chat_messages")
    op.drop_constraint(op.f("ck_chat_messages_role"), "chat_messages")
    op.create_check_constraint(op.f("ck_chat_messages_role"), "chat_messages", "role IN ('user', 'assistant')")
    op.drop_column("chat_messages", "author_id")
