"""What one text says: intent, calibrated confidence, 'ours or not' and embedding by the model, slots by rule."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from llm_banking.kit.clock import utc_now
from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.artifact import MODEL_FILE, TOKENIZER_FILE, Artifact, open_artifact
from llm_banking.nlu.metrics import softmax
from llm_banking.nlu.slots import Slot, find_slots
from llm_banking.nlu.taxonomy import LABELS

EMBEDDING_SIZE = 384
ALTERNATIVES = 5
MAX_TOKENS = 128


class TextInvalidError(LlmBankingError):
    """The text cannot be read: it is empty, too long, or not valid Unicode."""

    code = "INVALID_REQUEST"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An intent and the probability that it is the one meant, given that the text is ours."""

    intent: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model makes of one text.

    `intent` is the likeliest intent even where `in_scope` is false. `embedding` has EMBEDDING_SIZE numbers and
    unit length.
    """

    text: str
    intent: str
    confidence: float
    in_scope: bool
    in_scope_score: float
    alternatives: tuple[Candidate, ...]
    slots: tuple[Slot, ...]
    model_version: str
    embedding: NDArray[np.float32] = field(repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The documented JSON shape. `pii` is filled by models with a token head; this one has none."""
        return {
            "text": self.text,
            "intent": self.intent,
            "confidence": round(self.confidence, 6),
            "in_scope": self.in_scope,
            "in_scope_score": round(self.in_scope_score, 6),
            "alternatives": [
                {"intent": one.intent, "confidence": round(one.confidence, 6)} for one in self.alternatives
            ],
            "slots": [asdict(slot) for slot in self.slots],
            "pii": [],
            "model_version": self.model_version,
        }


def check_text(text: str) -> None:
    """Raise TextInvalidError unless the text has a visible character and can be encoded."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise TextInvalidError("The text holds half of a surrogate pair. Send valid Unicode.") from None
    if not any(character.isprintable() and not character.isspace() for character in text):
        raise TextInvalidError("The text is empty. Send at least one visible character.")


class Reader:
    """The model, loaded and warm. Safe to call from several threads."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            str(artifact.folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(artifact.folder / TOKENIZER_FILE))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    @classmethod
    def open(cls, folder: Path | None = None) -> Reader:
        """Load a model folder, the shipped one by default. Raises ArtifactMismatchError."""
        return cls(open_artifact(folder))

    def read(self, text: str, *, today: date | None = None) -> Reading:
        """Read one text; `today` (UTC's by default) is what "tomorrow" is counted from. Raises TextInvalidError."""
        check_text(text)
        slots = find_slots(text, today=today or utc_now().date())
        return self._reading(text, slots, *self._run(self._tokenizer.encode(text).ids))

    def read_many(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> list[Reading]:
        """Read texts on all cores; the answer keeps their order. Raises TextInvalidError.

        Each text runs alone, because int8 activations are scaled by what shares their batch: so a text reads the
        same here as in a conversation, to the last bit.
        """
        for number, text in enumerate(texts, start=1):
            try:
                check_text(text)
            except TextInvalidError as error:
                raise TextInvalidError(f"Text {number}: {error.message}") from None
        readings: list[Reading] = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for reading in pool.map(self.read, texts):
                readings.append(reading)
                if progress is not None:
                    progress(1)
        return readings

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Raw scores, (texts, labels) in the order of LABELS, before temperature."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = pool.map(lambda text: self._run(self._tokenizer.encode(text).ids)[0], texts)
            return np.stack(list(rows))

    def latencies_ms(self, texts: Sequence[str]) -> list[float]:
        """Milliseconds of each `read`, one text at a time on the calling thread."""
        taken = []
        for text in texts:
            start = time.perf_counter()
            self.read(text)
            taken.append((time.perf_counter() - start) * 1000)
        return taken

    def _run(self, ids: list[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        input_ids = np.array([ids], dtype=np.int64)
        logits, embedding = self._session.run(
            ["logits", "embedding"], {"input_ids": input_ids, "attention_mask": np.ones_like(input_ids)}
        )
        return logits[0], embedding[0]

    def _reading(
        self, text: str, slots: tuple[Slot, ...], logits: NDArray[np.float32], embedding: NDArray[np.float32]
    ) -> Reading:
        scaled = logits / self.artifact.temperature
        in_scope_score = float(1.0 - softmax(scaled)[-1])
        intents = softmax(scaled[:-1])
        best = np.argsort(-intents)[:ALTERNATIVES]
        candidates = tuple(Candidate(LABELS[i], float(intents[i])) for i in best)
        return Reading(
            text=text,
            intent=candidates[0].intent,
            confidence=candidates[0].confidence,
            in_scope=in_scope_score >= self.artifact.in_scope_minimum,
            in_scope_score=in_scope_score,
            alternatives=candidates,
            slots=slots,
            model_version=self.artifact.version,
            embedding=embedding,
        )
