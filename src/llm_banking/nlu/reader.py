"""What one text says: requests, intents with calibrated confidence, 'ours or not', slots, personal data, embedding.

The text is brought into plain form and its slips of spelling are put right for the model, which runs once over it and
reads each clause in the same run; a text longer than the model reads at once is read in pieces. Rules read figures and
dates from the plain form. Every span that comes out is in characters of the text as it was given.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from llm_banking.kit.clock import utc_now
from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.artifact import MODEL_FILE, OUTPUTS, TOKENIZER_FILE, Artifact, open_artifact
from llm_banking.nlu.clauses import Clause, candidate_clauses
from llm_banking.nlu.focus import Focus, focus, second_look
from llm_banking.nlu.normalise import Normalised, normalise
from llm_banking.nlu.personal_data import PersonalData, find_personal_data
from llm_banking.nlu.repair import Repairer
from llm_banking.nlu.requests import Examined, Request, judged_json, read_requests, stretches_of
from llm_banking.nlu.run_cache import RunCache, Seen, Source
from llm_banking.nlu.slots import Prefer, Slot, find_slots
from llm_banking.nlu.span_slots import merge_slots
from llm_banking.nlu.spans import Span, decode_spans, pieces_within
from llm_banking.nlu.taxonomy import LABELS

ALTERNATIVES = 5
MAX_TOKENS = 128
SLOWER_HERE = ("SkipLayerNormFusion",)
"""Rewrites of the graph that onnxruntime makes by itself and that cost time on this model (`proof.reading_speed`)."""
WINDOW_OVERLAP = 16
"""Tokens that neighbouring windows of a long text share, so that a name on the seam is whole in one of them."""

Outputs = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Logits (stretches, labels), embeddings (stretches, EMBEDDING_SIZE), tag logits (pieces, tags)."""
Stretch = tuple[int, int]
"""Characters of a text, from the first up to, not including, the second."""
Placed = TypeVar("Placed", Span, PersonalData)


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

    `intent` is the likeliest intent even where `in_scope` is false; `options` are the intents that may be meant, by
    the model's prediction sets, likeliest first. `requests` are those of a message, one at least; a part of a message
    that is read for itself has none. `embedding` has EMBEDDING_SIZE numbers and unit length.
    """

    text: str
    intent: str
    confidence: float
    in_scope: bool
    in_scope_score: float
    alternatives: tuple[Candidate, ...]
    options: tuple[str, ...]
    slots: tuple[Slot, ...]
    pii: tuple[PersonalData, ...]
    model_version: str
    embedding: NDArray[np.float32] = field(repr=False, compare=False)
    requests: tuple[Request, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The documented JSON shape."""
        return {
            "text": self.text,
            **judged_json(self),
            "pii": [{**asdict(one), "score": round(one.score, 6)} for one in self.pii],
            "requests": [one.as_dict() for one in self.requests],
            "model_version": self.model_version,
        }


@dataclass(frozen=True, slots=True)
class _Look:
    """What the model saw in a text; spans in characters of the text that it was shown."""

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    spans: tuple[Span, ...]


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

    def __init__(self, artifact: Artifact, on_run: Callable[[Source], None] | None = None) -> None:
        """`on_run` is told of each run whether the model or the cache of its runs gave the outputs."""
        self.artifact = artifact
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            str(artifact.folder / MODEL_FILE),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(SLOWER_HERE),
        )
        self._tokenizer = Tokenizer.from_file(str(artifact.folder / TOKENIZER_FILE))
        self._tokenizer.enable_truncation(MAX_TOKENS, stride=WINDOW_OVERLAP)
        self._tokenizer.no_padding()
        self._repairer = Repairer()
        self._runs: RunCache[Outputs] = RunCache(on_run=on_run)

    @classmethod
    def open(cls, folder: Path | None = None, on_run: Callable[[Source], None] | None = None) -> Reader:
        """Load a model folder, the shipped one by default. Raises ArtifactMismatchError."""
        return cls(open_artifact(folder), on_run)

    def read(self, text: str, *, today: date | None = None, prefer: Prefer | None = None) -> Reading:
        """Read one text. Raises TextInvalidError.

        `today` (UTC's by default) is what "tomorrow" is counted from; `prefer` says whether a date that could be in
        the past or the future is in one of them, where the caller knows.
        """
        message = self.examine(text, today=today, prefer=prefer)
        return replace(message.whole, requests=read_requests(message, self.artifact.split_policy))

    def examine(self, text: str, *, today: date | None = None, prefer: Prefer | None = None) -> Examined:
        """The reading of one text as one request, and of its stretches as far as asked for. Raises TextInvalidError."""
        check_text(text)
        day = today or utc_now().date()
        clauses = candidate_clauses(text)
        plain, seen, look, parts = self._look_at(text, clauses)
        spans = [_moved(span, *seen.original_span(span.start, span.end)) for span in look.spans]
        rules = find_slots(plain.text, today=day, prefer=prefer)
        slots = merge_slots(plain.text, rules, spans, today=day, prefer=prefer)
        found = find_personal_data(plain.text, spans, rules)
        whole = self._reading(
            text,
            look,
            slots=tuple(_quoted(slot, text, *plain.original_span(slot.start, slot.end)) for slot in slots),
            pii=tuple(_moved(one, *plain.original_span(one.start, one.end)) for one in found),
        )

        def part(start: int, end: int) -> Reading:
            words = text[start:end]
            seen_there = parts.get((start, end)) or self._look_at(words)[2]
            return self._reading(words, seen_there, slots=(), pii=())

        return Examined(whole, clauses, part)

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

    def outputs(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Raw scores (texts, labels) in the order of LABELS and embeddings (texts, EMBEDDING_SIZE)."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            looks = list(pool.map(self._whole_look, texts))
        return np.stack([look.logits for look in looks]), np.stack([look.embedding for look in looks])

    def latencies_ms(self, texts: Sequence[str]) -> list[float]:
        """Milliseconds of each `read`, one text at a time on the calling thread."""
        taken = []
        for text in texts:
            start = time.perf_counter()
            self.read(text)
            taken.append((time.perf_counter() - start) * 1000)
        return taken

    def _whole_look(self, text: str) -> _Look:
        return self._look_at(text, candidate_clauses(text))[2]

    def _look_at(
        self, text: str, clauses: Sequence[Clause] = ()
    ) -> tuple[Normalised, Normalised, _Look, dict[Stretch, _Look]]:
        """A text in plain form, the same with its slips put right, and what the model sees in that, as `_look` has it.

        The stretches are those of the clauses, in characters of the text as given.
        """
        plain = normalise(text)
        seen = self._repairer.repair(plain.text)
        return plain, seen, *self._look(seen.text, _shown(stretches_of(clauses), plain, seen))

    def _look(self, text: str, stretches: Mapping[Stretch, Stretch]) -> tuple[_Look, dict[Stretch, _Look]]:
        """What the model sees in a text and in those stretches of it that it has seen whole, by their names.

        One run of the model, or several where the text is longer than it reads at once or read without conviction.
        """
        encoding = self._tokenizer.encode(text)
        pooled = {name: pieces for name, span in stretches.items() if (pieces := _pieces(encoding, span))}
        logits, embeddings, tags = self._run(encoding.ids, list(pooled.values()))
        spans = decode_spans(text, tags, encoding.word_ids, encoding.offsets)
        parts = {name: _Look(logits[at], embeddings[at], ()) for at, name in enumerate(pooled, start=1)}
        whole = logits[0], embeddings[0]
        chosen = self._focused(text, whole[0], whole=not encoding.overflowing)
        if chosen is not None:
            again = self._run(self._tokenizer.encode(text[chosen.start : chosen.end]).ids)
            whole = again[0][0], again[1][0]
        for window in encoding.overflowing:
            later = decode_spans(text, self._run(window.ids)[2], window.word_ids, window.offsets)
            spans = _joined(spans, later)
        return _Look(*whole, spans), parts

    def _focused(self, text: str, logits: NDArray[np.float32], *, whole: bool) -> Focus | None:
        """The part to read instead of the text, where there is one; `whole`: the model has seen all of it."""

        def read(part: str) -> NDArray[np.float32]:
            logits: NDArray[np.float32] = self._run(self._tokenizer.encode(part).ids)[0][0]
            return logits

        temperature = self.artifact.calibration.support_temperature
        if whole:
            return second_look(text, logits, read, temperature=temperature)
        return focus(text, read, temperature=temperature)

    def _run(self, ids: list[int], stretches: Sequence[tuple[int, int]] = ()) -> Outputs:
        """The model's outputs for all of the ids first, and then for each stretch of them."""
        return self._runs.run((tuple(ids), tuple(stretches)), self._compute)

    def _compute(self, seen: Seen) -> Outputs:
        ids, stretches = seen
        pooling = np.zeros((1, 1 + len(stretches), len(ids)), dtype=np.float32)
        for row, (first, last) in zip(pooling[0], ((0, len(ids)), *stretches), strict=True):
            row[first:last] = 1.0 / (last - first)
        feed = {"input_ids": np.array([ids], dtype=np.int64), "pooling": pooling}
        logits, embeddings, tags = self._session.run(OUTPUTS, feed)
        return logits[0], embeddings[0], tags[0]

    def _reading(self, text: str, look: _Look, *, slots: tuple[Slot, ...], pii: tuple[PersonalData, ...]) -> Reading:
        artifact = self.artifact
        chances = artifact.calibration.probabilities(look.logits)
        nearest = artifact.neighbours.nearest(look.embedding[None])
        in_scope_score = float(artifact.calibration.in_scope_score(look.logits[None], nearest)[0])
        best = np.argsort(-chances)[:ALTERNATIVES]
        candidates = tuple(Candidate(LABELS[i], float(chances[i])) for i in best)
        return Reading(
            text=text,
            intent=candidates[0].intent,
            confidence=candidates[0].confidence,
            in_scope=in_scope_score >= artifact.calibration.in_scope_minimum,
            in_scope_score=in_scope_score,
            alternatives=candidates,
            options=tuple(LABELS[i] for i in artifact.calibration.prediction_set(chances)),
            slots=slots,
            pii=pii,
            model_version=artifact.version,
            embedding=look.embedding,
        )


def _shown(stretches: Sequence[Stretch], plain: Normalised, seen: Normalised) -> dict[Stretch, Stretch]:
    """Where stretches of a text as given stand in what the model is shown of it."""
    return {one: seen.span_of(*plain.span_of(*one)) for one in stretches}


def _pieces(encoding: Encoding, span: Stretch) -> tuple[int, int] | None:
    """The word pieces of a stretch, from the first up to, not including, the second; None where one was not read."""
    if encoding.overflowing:
        return None
    inside = pieces_within(encoding.offsets, span)
    return (inside[0], inside[-1] + 1) if inside else None


def _moved(one: Placed, start: int, end: int) -> Placed:
    return replace(one, start=start, end=end)


def _quoted(slot: Slot, text: str, start: int, end: int) -> Slot:
    return replace(slot, text=text[start:end], start=start, end=end)


def _joined(earlier: tuple[Span, ...], later: tuple[Span, ...]) -> tuple[Span, ...]:
    """The spans of two overlapping windows; of two that overlap, the longer."""
    kept: list[Span] = []
    for span in sorted((*earlier, *later), key=lambda one: one.start - one.end):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept, key=lambda one: one.start))
