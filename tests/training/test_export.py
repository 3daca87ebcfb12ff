from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from transformers import BertConfig

from llm_banking.nlu.artifact import INPUTS, OUTPUTS
from llm_banking.training import export
from llm_banking.training.encoder import IntentEncoder
from llm_banking.training.export import ExportMismatchError, JointModel, export_int8
from llm_banking.training.token_head import TokenHead

LABEL_COUNT = 7
SAMPLE = [[101, 5, 6, 7, 102], [101, 9, 102], [101, *range(10, 40), 102]]


@pytest.fixture
def small() -> JointModel:
    """An untrained model of the real kind, a hundredth of its size."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=2_200,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
    )
    return JointModel(IntentEncoder(config, LABEL_COUNT), TokenHead(64, layers=(1, 2), channels=8)).eval()


def test_the_int8_graph_stays_near_the_module_for_any_length(small: JointModel, tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    export_int8(small, SAMPLE, target)
    session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == list(INPUTS)
    for ids in (*SAMPLE, [101, 102]):
        text, pooling = np.array([ids]), stretches(len(ids), (0, len(ids)), (0, 1), (1, len(ids)))
        logits, embeddings, tags = session.run(OUTPUTS, {"input_ids": text, "pooling": pooling})
        with torch.inference_mode():
            wanted = [one.numpy() for one in small(torch.from_numpy(text), torch.from_numpy(pooling))]
        assert logits.shape == wanted[0].shape == (1, 3, LABEL_COUNT)
        assert np.abs(logits - wanted[0]).max() < 0.05
        assert (embeddings * wanted[1]).sum(axis=-1).min() > 0.99
        assert np.linalg.norm(embeddings, axis=-1) == pytest.approx(np.ones((1, 3)), abs=1e-4)
        assert tags.shape == wanted[2].shape == (1, len(ids), wanted[2].shape[-1])
        assert np.abs(tags - wanted[2]).max() < 0.05


def stretches(length: int, *spans: tuple[int, int]) -> NDArray[np.float32]:
    pooling = np.zeros((1, len(spans), length), dtype=np.float32)
    for row, (first, last) in zip(pooling[0], spans, strict=True):
        row[first:last] = 1.0 / (last - first)
    return pooling


def test_a_stretch_scores_the_same_whatever_else_is_read_beside_it(small: JointModel, tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    export_int8(small, SAMPLE, target)
    session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    text = np.array([SAMPLE[0]])
    alone = session.run(OUTPUTS, {"input_ids": text, "pooling": stretches(5, (0, 5))})[0]
    beside = session.run(OUTPUTS, {"input_ids": text, "pooling": stretches(5, (0, 5), (0, 1), (3, 4), (4, 5))})[0]
    assert np.abs(alone[0, 0] - beside[0, 0]).max() < 1e-5
    assert np.abs(beside[0, 0] - beside[0, 2]).max() > 1e-3


Damage = Callable[[JointModel], None]


def damaged_export(monkeypatch: pytest.MonkeyPatch, damage: Damage) -> None:
    """Plant a fault: the graph is written from a module that `damage` has changed, then the module is mended."""
    real = export._export_plain

    def planted(model: JointModel, path: Path) -> None:
        sound = {name: value.clone() for name, value in model.state_dict().items()}
        with torch.no_grad():
            damage(model)
        real(model, path)
        model.load_state_dict(sound)

    monkeypatch.setattr(export, "_export_plain", planted)


def shift_one_logit(model: JointModel) -> None:
    model.intents.head.bias[3] += 0.01


def lose_a_layer(model: JointModel) -> None:
    model.state_dict()["intents.bert.encoder.layer.1.output.dense.weight"].zero_()


def not_a_number(model: JointModel) -> None:
    model.intents.head.bias[3] = float("nan")


def shift_one_tag(model: JointModel) -> None:
    model.spans.tags.bias[3] += 0.01


def turn_the_embedding(model: JointModel) -> None:
    """Every embedding turned about, and the head with it: the logits stay, the embedding does not."""
    weights = model.state_dict()
    for part in ("weight", "bias"):
        weights[f"intents.bert.encoder.layer.1.output.LayerNorm.{part}"].neg_()
    weights["intents.head.weight"].neg_()


@pytest.mark.parametrize("damage", [shift_one_logit, lose_a_layer, not_a_number, shift_one_tag, turn_the_embedding])
def test_a_graph_that_differs_from_the_module_is_refused(
    small: JointModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    damaged_export(monkeypatch, damage)
    with pytest.raises(ExportMismatchError, match="differs"):
        export_int8(small, SAMPLE, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
