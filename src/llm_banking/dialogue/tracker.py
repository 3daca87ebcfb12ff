"""What a conversation remembers between turns; stored as JSON with its session."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Tracker(BaseModel):
    """The state of one conversation. An unknown field in a stored tracker is an error, not a guess."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    last_intent: str | None = None
    offered: tuple[str, ...] = ()
