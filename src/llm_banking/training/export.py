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

from llm_banking.kit.errors import LlmBankingError
from llm_banking.training.encoder import IntentEncoder, collate

OPSET = 17
MAX_FP32_DIFFERENCE = 1e-3


class ExportMismatchError(LlmBankingError):
    """The exported graph does not compute what the trained module computes."""

    code = "EXPORT_MISMATCH"


def export_int8(model: IntentEncoder, sample_ids: list[list[int]], target: Path) -> None:
    """Write the int8 graph to `target`: inputs input_ids, attention_mask; outputs logits, embedding.

    The fp32 graph is compared with the module on `sample_ids` before quantisation.
    Raises ExportMismatchError.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, fused = Path(folder) / "plain.onnx", Path(folder) / "fused.onnx"
        _export_fp32(model, plain)
        _fuse(model, plain, fused)
        _check(model, fused, sample_ids)
        quantize_dynamic(
            fused,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
        )


def _export_fp32(model: IntentEncoder, path: Path) -> None:
    model.bert.set_attn_implementation("eager")
    ids, mask = collate([[101, 2054, 102], [101, 102]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits", "embedding"],
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes={
                "input_ids": {0: "batch", 1: "length"},
                "attention_mask": {0: "batch", 1: "length"},
                "logits": {0: "batch"},
                "embedding": {0: "batch"},
            },
        )


def _fuse(model: IntentEncoder, source: Path, target: Path) -> None:
    config = model.bert.config
    optimized = optimize_model(
        str(source),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        optimization_options=FusionOptions("bert"),
        opt_level=0,
    )
    optimized.save_model_to_file(str(target))


def _check(model: IntentEncoder, path: Path, sample_ids: list[list[int]]) -> None:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ids, mask = collate(sample_ids)
    with torch.inference_mode():
        wanted = model.eval()(ids, mask)
    names = ["logits", "embedding"]
    got = session.run(names, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
    for name, ours, theirs in zip(names, wanted, got, strict=True):
        difference = float(np.abs(theirs - ours.numpy()).max())
        allowed = MAX_FP32_DIFFERENCE * max(1.0, float(ours.abs().max()))
        if not difference <= allowed:
            raise ExportMismatchError(
                f"The ONNX graph differs from the trained module by {difference:.2g} in its {name}; "
                "the export is not usable. Check the exporter's version against requirements/train.txt."
            )
