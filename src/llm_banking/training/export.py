"""From the trained module to the one file that ships: ONNX, fused, int8, checked against the original."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor

from llm_banking.kit.errors import LlmBankingError
from llm_banking.training.encoder import IntentEncoder, collate, mean_pooled
from llm_banking.training.one_text import cut_to_one_text
from llm_banking.training.token_head import TokenHead

OPSET = 17
MAX_FP32_DIFFERENCE = 1e-3
OUTPUTS = ("logits", "embedding", "token_logits")


class ExportMismatchError(LlmBankingError):
    """The exported graph does not compute what the trained module computes."""

    code = "EXPORT_MISMATCH"


class JointModel(torch.nn.Module):
    """Everything that one run of the shipped file computes, in the order of OUTPUTS, for rows without padding."""

    def __init__(self, intents: IntentEncoder, spans: TokenHead) -> None:
        super().__init__()
        self.intents = intents
        self.spans = spans

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Intent logits (rows, labels), embeddings (rows, hidden), tag logits (rows, length, tags)."""
        found = self.intents.bert(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        embedding = mean_pooled(found.last_hidden_state, attention_mask)
        return self.intents.head(embedding), embedding, self.spans(found.hidden_states)


def export_int8(model: JointModel, sample_ids: list[list[int]], target: Path) -> None:
    """Write the int8 graph to `target`: input_ids (rows, length) without padding in, OUTPUTS out.

    The fp32 graph is compared with the module on `sample_ids` before quantisation.
    Raises ExportMismatchError.
    """
    with tempfile.TemporaryDirectory() as folder:
        fused = Path(folder) / "fused.onnx"
        export_fp32(model, sample_ids, fused)
        quantize_dynamic(
            fused,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
        )


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
    ids, mask = collate([[101, 2054, 102], [101, 102]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes={
                "input_ids": {0: "batch", 1: "length"},
                "attention_mask": {0: "batch", 1: "length"},
                "logits": {0: "batch"},
                "embedding": {0: "batch"},
                "token_logits": {0: "batch", 1: "length"},
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
    with torch.inference_mode():
        pairs = [(session.run(OUTPUTS, {"input_ids": np.array([ids])}), model(*collate([ids]))) for ids in sample_ids]
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
