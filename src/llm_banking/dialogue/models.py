"""Rows of conversations."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import Vector
from sqlalchemy import CheckConstraint, DateTime, Float, ForeignKey, Index, Integer, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Base
from llm_banking.kit.ids import uuid7
from llm_banking.nlu.artifact import EMBEDDING_SIZE


class ChatSession(Base):
    """A conversation. `message_count` always equals its rows: both change in one transaction."""

    __tablename__ = "chat_sessions"
    __table_args__ = (Index("ix_chat_sessions_user_last_message", "user_id", "last_message_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str] = mapped_column(Text)
    message_count: Mapped[int] = mapped_column(Integer, default=0)
    tracker: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    last_message_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class ChatMessage(Base):
    """One message. The customer's carry the embedding (unit length, EMBEDDING_SIZE numbers), an agent's its author."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        Index("ix_chat_messages_session_created", "session_id", "created_at", "id"),
        CheckConstraint("role IN ('user', 'assistant', 'agent')", name="role"),
        CheckConstraint("(role = 'agent') = (author_id IS NOT NULL)", name="author_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("chat_sessions.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(16))
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    content: Mapped[str] = mapped_column(Text)
    intent: Mapped[str | None] = mapped_column(String(64))
    confidence: Mapped[float | None] = mapped_column(Float)
    suggested_next_steps: Mapped[list[str]] = mapped_column(JSONB, default=list)
    embedding: Mapped[Any | None] = mapped_column(Vector(EMBEDDING_SIZE))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class Handoff(Base):
    """A conversation that a person answers; at most one of a conversation is open.

    `status` goes from waiting to taken to closed, or from waiting to closed where the customer takes it back.
    """

    __tablename__ = "handoffs"
    __table_args__ = (
        CheckConstraint("reason IN ('request', 'failure', 'policy')", name="reason"),
        CheckConstraint(
            "CASE status WHEN 'waiting' THEN num_nonnulls(taken_by, taken_at, closed_at) = 0 "
            "WHEN 'taken' THEN num_nulls(taken_by, taken_at) = 0 AND closed_at IS NULL "
            "WHEN 'closed' THEN closed_at IS NOT NULL AND (taken_by IS NULL) = (taken_at IS NULL) ELSE false END",
            name="status",
        ),
        Index("uq_handoffs_open", "session_id", unique=True, postgresql_where=text("status <> 'closed'")),
        Index("ix_handoffs_queue", "created_at", "id", postgresql_where=text("status <> 'closed'")),
        Index("ix_handoffs_user_taken", "user_id", "taken_by"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("chat_sessions.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str] = mapped_column(String(8))
    summary: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(8), default="waiting")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    taken_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    taken_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ModelMetrics(Base):
    """What one answer cost and how sure it was; `query_id` is the assistant message it belongs to."""

    __tablename__ = "model_metrics"
    __table_args__ = (CheckConstraint("user_feedback IN (-1, 1)", name="user_feedback"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    query_id: Mapped[UUID] = mapped_column(ForeignKey("chat_messages.id", ondelete="CASCADE"), unique=True)
    model_version: Mapped[str] = mapped_column(Text)
    intent: Mapped[str] = mapped_column(String(64))
    confidence: Mapped[float] = mapped_column(Float)
    tokens_used: Mapped[int] = mapped_column(Integer, default=0)
    latency_ms: Mapped[float] = mapped_column(Float)
    cached: Mapped[bool] = mapped_column(default=False)
    user_feedback: Mapped[int | None] = mapped_column(SmallInteger)
    user_comment: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now, index=True)
