"""The token head on a tiny untrained encoder: what it computes, what it learns, what it exports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from tokenizers import BertWordPieceTokenizer, Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from llm_banking.nlu.span_rows import SpanExample
from llm_banking.nlu.spans import SPAN_TYPES, TAGS, Span, decode_spans
from llm_banking.training import token_head
from llm_banking.training.encoder import IntentEncoder
from llm_banking.training.spans import SpanRow, aligned
from llm_banking.training.token_head import LAYERS, TokenHead, fit_head, span_loss, token_features
from tests.training.conftest import write_banking77, write_span_sets

HIDDEN = 32
WORDS = "pay send to from ana bob cy dee rent now please i my account gas the on for card".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def bert() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=64,
        hidden_size=HIDDEN,
        num_hidden_layers=max(LAYERS),
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    return BertModel(config, add_pooling_layer=False).eval()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    made = BertWordPieceTokenizer({word: at for at, word in enumerate(vocabulary)}, lowercase=True)
    return Tokenizer.from_str(made.to_str())


def states(rows: int, length: int, seed: int = 1) -> list[Tensor]:
    made = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, length, HIDDEN, generator=made) for _ in range(max(LAYERS) + 1)]


def test_scores_have_one_row_a_piece_and_one_column_a_tag() -> None:
    head = TokenHead(HIDDEN).eval()
    assert head(states(2, 7), torch.ones(2, 7, dtype=torch.int64)).shape == (2, 7, len(TAGS))


def test_padding_changes_nothing() -> None:
    head = TokenHead(HIDDEN).eval()
    short = states(1, 5)
    padded = [nn.functional.pad(one, (0, 0, 0, 3), value=9.0) for one in short]
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 0, 0]])
    alone = head(short, torch.ones(1, 5, dtype=torch.int64))
    assert torch.allclose(head(padded, mask)[:, :5], alone, atol=1e-6)


def test_a_piece_sees_one_neighbour_on_either_side() -> None:
    head = TokenHead(HIDDEN).eval()
    plain, changed = states(1, 7), states(1, 7)
    for one in changed:
        one[0, 3] += 1.0
    mask = torch.ones(1, 7, dtype=torch.int64)
    differs = (head(plain, mask) - head(changed, mask)).abs().amax(-1)[0] > 1e-6
    assert differs.tolist() == [False, False, True, True, True, False, False]


def test_it_is_a_convolution() -> None:
    """The shifted products equal torch's own convolution with the same weights."""
    head = TokenHead(HIDDEN, channels=8).eval()
    features = torch.cat([states(2, 6)[layer] for layer in LAYERS], dim=-1)
    before, here, after = head.window.weight.split(8)
    bias = head.window.bias.reshape(3, 8)
    kernel = torch.stack([before, here, after], dim=-1)
    ones = torch.ones(2, 1, 6)
    biases = nn.functional.conv1d(ones, bias.T.unsqueeze(1), padding=1)
    window = nn.functional.conv1d(features.transpose(1, 2), kernel, padding=1) + biases
    wanted = head.tags(nn.functional.gelu(window.transpose(1, 2)))
    assert torch.allclose(head.score(features, torch.ones(2, 6, dtype=torch.int64)), wanted, atol=1e-5)


def test_the_loss_counts_any_allowed_tag_as_right() -> None:
    scores = torch.zeros(1, 3, len(TAGS))
    scores[0, 1, 0] = math.log(2.0)
    owners = torch.tensor([[-1, 0, -1]])
    allowed = torch.zeros(1, len(TAGS), dtype=torch.bool)
    allowed[0, [0, 1]] = True
    total = len(TAGS) + 1
    assert float(span_loss(scores, owners, allowed)) == pytest.approx(-math.log(3 / total))
    assert float(span_loss(scores, owners, torch.ones_like(allowed))) == 0.0


def test_the_loss_averages_the_pieces_of_a_word() -> None:
    scores = torch.zeros(1, 4, len(TAGS))
    scores[0, 1, 0], scores[0, 2, 0] = 4.0, 2.0
    allowed = torch.zeros(1, len(TAGS), dtype=torch.bool)
    allowed[0, 0] = True
    loss = span_loss(scores, torch.tensor([[-1, 0, 0, -1]]), allowed)
    assert float(loss) == pytest.approx(math.log(math.exp(3.0) + len(TAGS) - 1) - 3.0)


def test_features_do_not_depend_on_the_company(bert: BertModel, tokenizer: Tokenizer) -> None:
    rows = aligned(
        [SpanExample(text, (), "own", frozenset()) for text in ("pay ana", "send my rent to bob")], tokenizer
    )
    together = token_features(bert, rows, LAYERS)
    (alone,) = token_features(bert, rows[:1], LAYERS)
    assert alone.shape == (4, HIDDEN * len(LAYERS))
    assert torch.allclose(together[0].float(), alone.float(), atol=0.05)


def test_it_learns_who_is_paid_and_leaves_the_encoder_alone(bert: BertModel, tokenizer: Tokenizer) -> None:
    typed = frozenset(SPAN_TYPES)
    texts = []
    for name in ("ana", "bob", "cy", "dee"):
        for text in (f"pay {name} now", f"send my rent to {name}", f"please pay {name} for gas", f"{name} please"):
            at = text.index(name)
            texts.append(SpanExample(text, (Span(at, at + len(name), "PERSON"),), "own", typed))
        texts.append(SpanExample("pay the gas on my account now", (), "own", typed))
    before = {name: value.clone() for name, value in bert.state_dict().items()}
    rows = aligned(texts, tokenizer)
    features = token_features(bert, rows, LAYERS)
    said: list[str] = []
    torch.manual_seed(0)
    head = fit_head(TokenHead(HIDDEN), rows, features, said.append, seed=0, epochs=120)
    assert len(said) == 120
    losses = [float(line.rsplit(" ", 1)[1]) for line in said]
    assert losses[-1] < 0.2 * losses[0]
    encoding = tokenizer.encode("please send it to bob now")
    with torch.inference_mode():
        hidden = bert(input_ids=torch.tensor([encoding.ids]), output_hidden_states=True).hidden_states
        logits = head(hidden, torch.ones(1, len(encoding.ids), dtype=torch.int64))[0].numpy()
    found = decode_spans("please send it to bob now", logits, encoding.word_ids, encoding.offsets)
    assert [(one.start, one.end, one.type) for one in found] == [(18, 21, "PERSON")]
    assert all(torch.equal(before[name], value) for name, value in bert.state_dict().items())


def test_the_same_seed_trains_the_same_head(bert: BertModel, tokenizer: Tokenizer) -> None:
    rows = aligned([SpanExample("pay ana", (Span(4, 7, "PERSON"),), "own", frozenset(SPAN_TYPES))] * 3, tokenizer)
    features = token_features(bert, rows, LAYERS)

    def weights(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return fit_head(TokenHead(HIDDEN), rows, features, lambda _: None, seed=seed, epochs=2).tags.weight.detach()

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


class _Exported(nn.Module):
    """The head behind named inputs, as one graph."""

    def __init__(self, head: TokenHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.head.score(features, mask)


@pytest.mark.filterwarnings("ignore")
def test_it_exports_to_opset_17_for_any_length(tmp_path: Path) -> None:
    head = TokenHead(HIDDEN).eval()
    features = torch.cat([states(1, 5)[layer] for layer in LAYERS], dim=-1)
    path = tmp_path / "head.onnx"
    torch.onnx.export(
        _Exported(head).eval(),
        (features, torch.ones(1, 5, dtype=torch.int64)),
        str(path),
        input_names=["features", "mask"],
        output_names=["token_logits"],
        opset_version=17,
        dynamo=False,
        dynamic_axes={"features": {0: "rows", 1: "length"}, "mask": {0: "rows", 1: "length"}},
    )
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for rows, length in pairwise((1, 2, 3, 11)):
        wide = torch.cat([states(rows, length, seed=length)[layer] for layer in LAYERS], dim=-1)
        mask = torch.ones(rows, length, dtype=torch.int64)
        (got,) = session.run(None, {"features": wide.numpy(), "mask": mask.numpy()})
        with torch.inference_mode():
            assert np.allclose(got, head.score(wide, mask).numpy(), atol=1e-4)


def test_training_reads_every_set_and_not_the_held_parts(
    tmp_path: Path, bert: BertModel, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_span_sets(tmp_path)
    write_banking77(tmp_path / "banking77" / "train.csv", [("pay the rent now please", "card_arrival")])
    monkeypatch.setattr(token_head, "OWN_ROWS", 40)
    monkeypatch.setattr(token_head, "EPOCHS", 1)
    learnt: list[str] = []

    def noting(examples: Sequence[SpanExample], given: Tokenizer) -> list[SpanRow]:
        learnt.extend(one.text for one in examples)
        return aligned(examples, given)

    monkeypatch.setattr(token_head, "aligned", noting)
    model = IntentEncoder(bert.config, labels=2)
    model.bert = bert
    said: list[str] = []
    head = token_head.train_token_head(model, tokenizer, tmp_path, said.append, seed=0)
    assert isinstance(head, TokenHead)
    assert not head.training
    assert "pay the rent now please" in learnt
    assert "a held row" not in learnt
    assert len(said) == 2
