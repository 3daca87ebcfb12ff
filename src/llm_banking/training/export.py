"""From the trained module to the one file that ships: ONNX, fused, int8, checked against the original."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor

from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.artifact import INPUTS, OUTPUTS
from llm_banking.training.encoder import IntentEncoder
from llm_banking.training.one_text import cut_to_one_text
from llm_banking.training.token_head import TokenHead

OPSET = 17
MAX_FP32_DIFFERENCE = 1e-3


class ExportMismatchError(LlmBankingError):
    """The exported graph does not compute what the trained module computes."""

    code = "EXPORT_MISMATCH"


class JointModel(torch.nn.Module):
    """Everything that one run of the shipped file computes, in the order of OUTPUTS, for rows without padding."""

    def __init__(self, intents: IntentEncoder, spans: TokenHead) -> None:
        super().__init__()
        self.intents = intents
        self.spans = spans

    def forward(self, input_ids: Tensor, pooling: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Intent logits and embeddings (rows, stretches, labels or hidden), tag logits (rows, length, tags).

        `input_ids` are (rows, length). What `pooling` (rows, stretches, length) weighs are the pieces of a stretch:
        what they mean together is read from their mean, in the light of the whole text.
        """
        found = self.intents.bert(
            input_ids=input_ids, attention_mask=torch.ones_like(input_ids), output_hidden_states=True
        )
        embedding = torch.nn.functional.normalize(pooling @ found.last_hidden_state, dim=-1)
        return self.intents.head(embedding), embedding, self.spans(found.hidden_states)


def export_int8(model: JointModel, sample_ids: list[list[int]], target: Path) -> None:
    """Write the int8 graph to `target`: INPUTS in, OUTPUTS out, as JointModel says.

    The head stays in fp32, so that no stretch's scores depend on what other stretches are read. The fp32 graph is
    compared with the module on `sample_ids` before quantisation. Raises ExportMismatchError.
    """
    with tempfile.TemporaryDirectory() as folder:
        fused = Path(folder) / "fused.onnx"
        export_fp32(model, sample_ids, fused)
        with _without_warnings():
            quantize_dynamic(
                fused,
                target,
                weight_type=QuantType.QInt8,
                per_channel=True,
                nodes_to_exclude=[_head_of(fused)],
                extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
            )


@contextmanager
def _without_warnings() -> Iterator[None]:
    """The quantiser warns at length of integer tensors, which it leaves alone as it should."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _head_of(path: Path) -> str:
    """The name of the product that the intent head's scores are a sum with."""
    nodes = onnx.load(str(path)).graph.node
    (total,) = (node for node in nodes if "logits" in node.output)
    (product,) = (node for node in nodes if node.op_type == "MatMul" and set(node.output) & set(total.input))
    return str(product.name)


def export_fp32(model: JointModel, sample_ids: list[list[int]], target: Path) -> None:
    """Write the fused graph in fp32, compared with the module. Raises ExportMismatchError."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        _export_plain(model, plain)
        _fuse(model, plain, target)
        cut_to_one_text(target)
        _check(model, target, sample_ids)


def _export_plain(model: JointModel, path: Path) -> None:
    model.intents.bert.set_attn_implementation("eager")
    ids, pooling = torch.tensor([[101, 2054, 102], [101, 2053, 102]]), torch.from_numpy(_halves(3)).repeat(2, 1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (ids, pooling),
            str(path),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes={
                "input_ids": {0: "rows", 1: "length"},
                "pooling": {0: "rows", 1: "stretches", 2: "length"},
                "logits": {0: "rows", 1: "stretches"},
                "embedding": {0: "rows", 1: "stretches"},
                "token_logits": {0: "rows", 1: "length"},
            },
        )


def _fuse(model: JointModel, source: Path, target: Path) -> None:
    config = model.intents.bert.config
    options = FusionOptions("bert")
    # Normalising together with the addition before it takes longer than the two apart (ADR 0004).
    options.enable_skip_layer_norm = options.enable_bias_skip_layer_norm = False
    optimized = optimize_model(
        str(source),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        optimization_options=options,
        opt_level=0,
    )
    optimized.save_model_to_file(str(target))


def _check(model: JointModel, path: Path, sample_ids: list[list[int]]) -> None:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    model.eval()
    pairs = []
    with torch.inference_mode():
        for ids in sample_ids:
            text, pooling = np.array([ids]), _halves(len(ids))
            got = session.run(OUTPUTS, dict(zip(INPUTS, (text, pooling), strict=True)))
            pairs.append((got, model(torch.from_numpy(text), torch.from_numpy(pooling))))
    for at, name in enumerate(OUTPUTS):
        wanted = [ours[at].numpy() for _, ours in pairs]
        largest = max(float(np.abs(one).max()) for one in wanted)
        difference = max(float(np.abs(got[at] - one).max()) for (got, _), one in zip(pairs, wanted, strict=True))
        allowed = MAX_FP32_DIFFERENCE * max(1.0, largest)
        if not difference <= allowed:
            raise ExportMismatchError(
                f"The ONNX graph differs from the trained module by {difference:.2g} in its {name}; "
                "the export is not usable. Check the exporter's version against requirements/train.txt."
            )


def _halves(length: int) -> NDArray[np.float32]:
    """One text's pooling as one stretch, and its first and second half as two more."""
    weights = np.zeros((1, 3, length), dtype=np.float32)
    weights[0, 0], weights[0, 1, : length // 2], weights[0, 2, length // 2 :] = 1.0, 1.0, 1.0
    pooling: NDArray[np.float32] = weights / weights.sum(axis=-1, keepdims=True)
    return pooling
