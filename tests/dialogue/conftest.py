"""Readings made by hand: these tests are about what follows from a reading, not about the model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from llm_banking.nlu.artifact import EMBEDDING_SIZE
from llm_banking.nlu.reader import Candidate, Reading
from llm_banking.nlu.slots import find_slots

MakeReading = Callable[..., Reading]


@pytest.fixture
def reading() -> MakeReading:
    """Make a reading of a text from its likeliest intents with their confidences.

    `options` is the prediction set: those of a tenth or more where none is given.
    """

    def _make(
        text: str,
        *likeliest: tuple[str, float],
        in_scope_score: float = 0.99,
        in_scope: bool = True,
        options: tuple[str, ...] | None = None,
    ) -> Reading:
        candidates = tuple(Candidate(intent, confidence) for intent, confidence in likeliest)
        return Reading(
            text=text,
            intent=candidates[0].intent,
            confidence=candidates[0].confidence,
            in_scope=in_scope,
            in_scope_score=in_scope_score,
            alternatives=candidates,
            options=tuple(one for one, chance in likeliest if chance >= 0.1) if options is None else options,
            slots=find_slots(text, today=date(2026, 11, 21)),
            pii=(),
            model_version="by hand",
            embedding=np.zeros(EMBEDDING_SIZE, dtype=np.float32),
        )

    return _make
