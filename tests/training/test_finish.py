"""The student's last epochs, on a model of the real kind and a hundredth of its size."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig

from llm_banking.nlu.spans import pieces_within
from llm_banking.nlu.taxonomy import LABELS
from llm_banking.training.encoder import IntentEncoder, load_tokenizer, packaged_encoder_dir
from llm_banking.training.fine_tune import Recipe, Rows
from llm_banking.training.finish import Pairs, RoundedLinear, finish

TEXTS = {
    "card_arrival": ["where is my card", "my card is late", "no card in the post"],
    "exchange_rate": ["euros for a dollar", "rate for pounds", "which rate applies today"],
    "out_of_scope": ["bake a cake", "is it warm in Rome", "find me a plumber in town"],
}
RECIPE = Recipe(seed=3, finish_epochs=2, finish_pairs=6, finish_learning_rate=1e-3, batch_rows=3, label_smoothing=0.0)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer(packaged_encoder_dir())


@pytest.fixture
def rows(tokenizer: Tokenizer) -> Rows:
    texts = [text for part in TEXTS.values() for text in part]
    labels = [LABELS.index(label) for label, part in TEXTS.items() for _ in part]
    return Rows(texts, [one.ids for one in tokenizer.encode_batch(texts)], labels)


@pytest.fixture
def small(tokenizer: Tokenizer) -> IntentEncoder:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    return IntentEncoder(config, len(LABELS))


def test_a_rounded_layer_computes_with_at_most_256_values_and_stays_near() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(64, 5).requires_grad_(requires_grad=False)
    exact = layer(torch.eye(64)[None] * 3)
    layer.__class__ = RoundedLinear
    found = layer(torch.eye(64)[None] * 3)
    assert 0 < float((found - exact).abs().max()) < 0.02
    for weights, scores in zip(layer.weight, (found - layer.bias)[0].T, strict=True):
        steps = scores / (3 * weights.abs().max() / 127)
        assert float((steps - steps.round()).abs().max()) < 1e-2


def test_each_text_has_a_scale_of_its_own() -> None:
    layer = nn.Linear(8, 3)
    layer.__class__ = RoundedLinear
    quiet, loud = torch.rand(1, 4, 8), torch.rand(1, 4, 8) * 1000
    assert torch.equal(layer(torch.cat([quiet, loud]))[:1], layer(quiet))


def test_gradients_pass_the_rounding() -> None:
    layer = nn.Linear(4, 2)
    layer.__class__ = RoundedLinear
    seen = torch.rand(1, 3, 4, requires_grad=True)
    layer(seen).sum().backward()
    assert seen.grad is not None
    assert float(seen.grad.abs().min()) > 0
    assert layer.weight.grad is not None


def test_a_drawn_message_holds_its_rows(rows: Rows, tokenizer: Tokenizer) -> None:
    pairs = Pairs(rows, tokenizer, RECIPE)
    rng = random.Random(4)  # noqa: S311 - a sample, not a secret
    seen = set()
    for _ in range(300):
        joined, places = pairs.draw(rng)
        assert rows.labels[places[0]] not in {rows.labels[at] for at in places[1:]}
        for (start, end), at in zip(joined.spans, places, strict=True):
            assert joined.text[start:end].casefold() == rows.texts[at].casefold()
        seen |= set(places)
    assert seen == set(range(len(rows)))


def test_talk_stands_around_one_request(rows: Rows, tokenizer: Tokenizer) -> None:
    pairs = Pairs(rows, tokenizer, replace(RECIPE, finish_talk=1.0))
    rng = random.Random(4)  # noqa: S311 - a sample, not a secret
    talk = LABELS.index("out_of_scope")
    drawn = [pairs.draw(rng)[1] for _ in range(100)]
    assert {len(places) for places in drawn} == {2, 3, 4}
    for request, *others in drawn:
        assert rows.labels[request] != talk
        assert {rows.labels[at] for at in others} == {talk}


def test_a_message_is_about_its_requests(rows: Rows, tokenizer: Tokenizer) -> None:
    courteous = replace(rows, labels=[*rows.labels[:-1], LABELS.index("thanks")])
    pairs = Pairs(courteous, tokenizer, RECIPE)
    card, rate, cake, thanks = 0, 3, 6, 8
    assert pairs.said_by((card, rate)) == [card, rate]
    assert pairs.said_by((card, cake, thanks)) == [card]
    assert pairs.said_by((thanks, card)) == [card]
    assert pairs.said_by((cake, thanks)) == [cake, thanks]


def test_pieces_of_a_stretch_are_those_wholly_in_it(tokenizer: Tokenizer) -> None:
    encoding = tokenizer.encode("pay the rent and bake")
    assert [encoding.tokens[at] for at in pieces_within(encoding.offsets, (0, 12))] == ["pay", "the", "rent"]
    assert [encoding.tokens[at] for at in pieces_within(encoding.offsets, (1, 11))] == ["the"]
    assert pieces_within(encoding.offsets, (0, 2)) == []


def test_it_learns_what_each_clause_means_and_gives_plain_layers_back(
    rows: Rows, tokenizer: Tokenizer, small: IntentEncoder
) -> None:
    pairs = Pairs(rows, tokenizer, replace(RECIPE, finish_pairs=40))

    def loss() -> float:
        with torch.no_grad():
            return float(pairs.loss(small.eval(), random.Random(9)))  # noqa: S311 - a sample, not a secret

    before, steps = loss(), list[tuple[int, int]]()
    kinds = [type(part) for part in small.modules()]
    finish(small, rows, tokenizer, replace(RECIPE, finish_epochs=20), lambda *step: steps.append(step))
    assert loss() < before - 1
    assert steps[-1] == (60, 60)
    assert [type(part) for part in small.modules()] == kinds
    assert not small.training


def test_targets_of_teachers_count(rows: Rows, tokenizer: Tokenizer, small: IntentEncoder) -> None:
    """Planted: teachers that say the opposite of the labels make the loss another one."""

    def loss(targets: Tensor | None) -> float:
        pairs = Pairs(replace(rows, targets=targets), tokenizer, RECIPE)
        with torch.no_grad():
            return float(pairs.loss(small.eval(), random.Random(2)))  # noqa: S311 - a sample, not a secret

    own = nn.functional.one_hot(torch.tensor(rows.labels), len(LABELS)).float()
    assert loss(own) == pytest.approx(loss(None), rel=1e-5)
    assert not np.isclose(loss(own.roll(1, dims=1)), loss(None))
