"""The student's last epochs: with weights rounded as they will ship, and with messages of two requests.

What is rounded afterwards loses what was never rounded in training (Jacob et al. 2018). So the linear layers compute
here as the int8 file does: weights by a scale for each output, activations by a scale for each text. And a message of
several texts is read once: the mean over the pieces of a clause is taught what that clause alone means, and the whole
what its requests mean, whatever else the message speaks of.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, linear, log_softmax, normalize

from llm_banking.nlu.spans import pieces_within
from llm_banking.nlu.taxonomy import BY_NAME, CONVERSATIONAL, LABELS, OUT_OF_SCOPE
from llm_banking.training.encoder import IntentEncoder, collate, mean_pooled
from llm_banking.training.fine_tune import Phase, Recipe, Rows, run_phase
from llm_banking.training.joined import RELATED, Joined, join_among, join_texts

_SHORT_WORDS = 16
_SHORT_SHARE = 0.6
"""Share of the joined rows that are drawn among those of _SHORT_WORDS words at most."""
_WHOLE_WEIGHT = 0.25
"""How much it counts what the message as a whole is read as."""
_MOST_TALK = 3
"""Texts at most that stand around a request and ask for nothing of ours."""


def finish(
    model: IntentEncoder, rows: Rows, tokenizer: Tokenizer, recipe: Recipe, report: Callable[[int, int], None]
) -> IntentEncoder:
    """Train a student in place through its last epochs; returns it in eval mode with plain linear layers in fp32.

    `rows` carry targets and trust. `report` is called with (steps done, steps in all).
    """
    pairs = Pairs(rows, tokenizer, recipe)
    phase = Phase(
        epochs=recipe.finish_epochs,
        seed=recipe.seed + recipe.teachers + 1,
        learning_rate=recipe.finish_learning_rate,
        head_learning_rate=recipe.finish_learning_rate,
        perturb_with=tokenizer,
        also=pairs.loss,
    )
    _swap(model.bert, nn.Linear, RoundedLinear)
    try:
        return run_phase(model, rows, recipe, phase, report)
    finally:
        _swap(model.bert, RoundedLinear, nn.Linear)


class RoundedLinear(nn.Linear):
    """A linear layer that computes with int8 weights and uint8 activations; gradients pass the rounding unchanged."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Linear gives it
        """As nn.Linear, after rounding; `input` (rows, ..., features) is scaled row by row."""
        with torch.no_grad():
            weight_scale = (self.weight.abs().amax(1, keepdim=True) / 127).clamp(min=1e-8)
            seen = input.float()
            within = tuple(range(1, seen.dim()))
            low = seen.amin(within, keepdim=True).clamp(max=0)
            scale = ((seen.amax(within, keepdim=True).clamp(min=0) - low) / 255).clamp(min=1e-8)
            zero = torch.round(-low / scale)
        rounded = _straight_through(input.float(), scale, zero, 0, 255)
        weight = _straight_through(self.weight, weight_scale, torch.zeros_like(weight_scale), -127, 127)
        return linear(rounded, weight, self.bias)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, value: Tensor, scale: Tensor, zero: Tensor, low: int, high: int) -> Tensor:
        return (torch.clamp(torch.round(value / scale) + zero, low, high) - zero) * scale

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return gradients[0], None, None, None, None


def _straight_through(value: Tensor, scale: Tensor, zero: Tensor, low: int, high: int) -> Tensor:
    found: Tensor = _StraightThrough.apply(value, scale, zero, low, high)  # type: ignore[no-untyped-call]
    return found


def _swap(module: nn.Module, old: type[nn.Linear], new: type[nn.Linear]) -> None:
    for part in module.modules():
        if type(part) is old:
            part.__class__ = new


class Pairs:
    """Messages made of several rows, and how well a model reads them: two requests, or one among other talk."""

    def __init__(self, rows: Rows, tokenizer: Tokenizer, recipe: Recipe) -> None:
        self.rows = rows
        self.tokenizer = tokenizer
        self.recipe = recipe
        self.trust = torch.ones(len(rows)) if rows.trust is None else rows.trust
        self._short = [at for at, text in enumerate(rows.texts) if len(text.split()) <= _SHORT_WORDS]
        self._talk = [at for at, label in enumerate(rows.labels) if not _asks(label)]
        self._requests = [at for at, label in enumerate(rows.labels) if _asks(label)]
        self._related: dict[str, list[int]] = defaultdict(list)
        for at, label in enumerate(rows.labels):
            self._related[_category(label)].append(at)

    def draw(self, rng: random.Random) -> tuple[Joined, tuple[int, ...]]:
        """A message and the places of its rows: two whose labels differ, or a request and talk around it."""
        if self._talk and self._requests and rng.random() < self.recipe.finish_talk:
            places = (rng.choice(self._requests), *rng.choices(self._talk, k=rng.randint(1, _MOST_TALK)))
            return join_among(rng, [self.rows.texts[at] for at in places]), places
        while True:
            short = rng.random() < _SHORT_SHARE
            one = rng.choice(self._short) if short else rng.randrange(len(self.rows))
            near = self._related[_category(self.rows.labels[one])] if rng.random() < RELATED else None
            two = rng.choice(near) if near else rng.randrange(len(self.rows))
            too_long = short and len(self.rows.texts[two].split()) > _SHORT_WORDS
            if self.rows.labels[one] != self.rows.labels[two] and not too_long:
                return join_texts(rng, self.rows.texts[one], self.rows.texts[two]), (one, two)

    def loss(self, model: IntentEncoder, rng: random.Random) -> Tensor:
        """Of `recipe.finish_pairs` new messages: each clause by its row, the whole by what its requests mean."""
        drawn = [self.draw(rng) for _ in range(self.recipe.finish_pairs)]
        encodings = [self.tokenizer.encode(joined.text) for joined, _ in drawn]
        ids, mask = collate([one.ids for one in encodings])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        hidden = hidden.float()
        pooled, places = [], []
        for number, (encoding, (joined, at)) in enumerate(zip(encodings, drawn, strict=True)):
            for span, row in zip(joined.spans, at, strict=True):
                pieces = pieces_within(encoding.offsets, span)
                if pieces:
                    pooled.append(hidden[number, pieces].mean(0))
                    places.append(row)
        clauses = model.head(model.dropout(normalize(torch.stack(pooled), dim=-1)))
        whole = model.head(model.dropout(mean_pooled(hidden, mask)))
        wanted = torch.stack([self._targets(self.said_by(at)).mean(0) for _, at in drawn])
        gold = torch.tensor([self.rows.labels[row] for row in places])
        hard = cross_entropy(clauses, gold, label_smoothing=self.recipe.label_smoothing, reduction="none")
        share = self.recipe.distillation_weight
        taught = (1 - share) * (hard * self.trust[places]).mean() + share * self._soft(clauses, self._targets(places))
        return taught + _WHOLE_WEIGHT * self._soft(whole, wanted)

    def said_by(self, places: Sequence[int]) -> list[int]:
        """Of the rows of a message those that it is about: its requests, or all of them where there is none."""
        return [at for at in places if _asks(self.rows.labels[at])] or list(places)

    def _targets(self, places: Sequence[int]) -> Tensor:
        if self.rows.targets is not None:
            return self.rows.targets[list(places)]
        return nn.functional.one_hot(torch.tensor([self.rows.labels[at] for at in places]), len(LABELS)).float()

    def _soft(self, logits: Tensor, wanted: Tensor) -> Tensor:
        warm = self.recipe.distillation_temperature
        return kl_div(log_softmax(logits / warm, -1), wanted, reduction="batchmean") * warm**2


def _category(label: int) -> str:
    known = BY_NAME.get(LABELS[label])
    return "" if known is None else str(known.category)


def _asks(label: int) -> bool:
    """Whether the label is a request of ours: no courtesy, and not what we refuse."""
    return LABELS[label] not in CONVERSATIONAL | {OUT_OF_SCOPE}
