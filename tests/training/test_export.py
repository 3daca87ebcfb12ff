from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from transformers import BertConfig

from llm_banking.training import export
from llm_banking.training.encoder import IntentEncoder, collate
from llm_banking.training.export import ExportMismatchError, export_int8

LABEL_COUNT = 7
SAMPLE = [[101, 5, 6, 7, 102], [101, 9, 102], [101, *range(10, 40), 102]]


@pytest.fixture
def small() -> IntentEncoder:
    """An untrained encoder of the real kind, a hundredth of its size."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=2_200,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
    )
    return IntentEncoder(config, LABEL_COUNT).eval()


def run(model: IntentEncoder, ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    with torch.inference_mode():
        logits, embedding = model.eval()(*collate(ids))
    return logits.numpy(), embedding.numpy()


def test_the_int8_graph_stays_near_the_module_for_any_length_and_any_batch(
    small: IntentEncoder, tmp_path: Path
) -> None:
    target = tmp_path / "model.onnx"
    export_int8(small, SAMPLE, target)
    session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for batch in (SAMPLE, SAMPLE[1:2], [[101, 102]]):
        ids, mask = collate(batch)
        logits, embedding = session.run(
            ["logits", "embedding"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
        )
        wanted_logits, wanted_embedding = run(small, batch)
        assert np.abs(logits - wanted_logits).max() < 0.05
        assert (embedding * wanted_embedding).sum(axis=1).min() > 0.99
        assert np.linalg.norm(embedding, axis=1) == pytest.approx(np.ones(len(batch)), abs=1e-4)


Damage = Callable[[IntentEncoder], None]


def damaged_export(monkeypatch: pytest.MonkeyPatch, damage: Damage) -> None:
    """Plant a fault: the graph is written from a module that `damage` has changed, then the module is mended."""
    real = export._export_fp32

    def planted(model: IntentEncoder, path: Path) -> None:
        sound = {name: value.clone() for name, value in model.state_dict().items()}
        with torch.no_grad():
            damage(model)
        real(model, path)
        model.load_state_dict(sound)

    monkeypatch.setattr(export, "_export_fp32", planted)


def shift_one_logit(model: IntentEncoder) -> None:
    model.head.bias[3] += 0.01


def lose_a_layer(model: IntentEncoder) -> None:
    model.state_dict()["bert.encoder.layer.1.output.dense.weight"].zero_()


def not_a_number(model: IntentEncoder) -> None:
    model.head.bias[3] = float("nan")


def turn_the_embedding(model: IntentEncoder) -> None:
    """Every embedding turned about, and the head with it: the logits stay, the embedding does not."""
    weights = model.state_dict()
    for part in ("weight", "bias"):
        weights[f"bert.encoder.layer.1.output.LayerNorm.{part}"].neg_()
    weights["head.weight"].neg_()


@pytest.mark.parametrize("damage", [shift_one_logit, lose_a_layer, not_a_number, turn_the_embedding])
def test_a_graph_that_differs_from_the_module_is_refused(
    small: IntentEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    damaged_export(monkeypatch, damage)
    with pytest.raises(ExportMismatchError, match="differs"):
        export_int8(small, SAMPLE, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
