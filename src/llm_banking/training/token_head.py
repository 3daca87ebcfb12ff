"""The token head: slots and personal data read from the layers of an encoder that somebody else has trained.

The encoder stays as it is while the head learns, so reading spans can never cost intent accuracy. Its early layers
still know the words that its last layers, tuned to tell intents apart, have given up (Tenney et al. 2019).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from llm_banking.nlu.spans import TAGS
from llm_banking.training.encoder import batches_of_like_length, collate
from llm_banking.training.spans import SpanRow, aligned, load_negatives, load_span_examples, training_examples

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import BertModel

    from llm_banking.training.encoder import IntentEncoder

LAYERS = (1, 2, 4)
"""Encoder layers that the head reads, 1 the first; chosen on the dev parts."""
CHANNELS = 192
DROPOUT = 0.2
EPOCHS = 8
BATCH = 64
PEAK_RATE = 3e-3
WARM_UP = 0.1
AVERAGED_SHARE = 0.3
"""Weights are averaged over this last share of the steps."""
OWN_ROWS = 6000
NEGATIVE_ROWS = 1500


class TokenHead(nn.Module):
    """Hidden states in; scores of every tag for every word piece out.

    A convolution over three pieces (each piece with the one before and after it) and a linear layer. The convolution
    is one matrix product whose three parts are shifted and added, which quantises and runs as any linear layer does.
    """

    def __init__(
        self, hidden: int, tags: int = len(TAGS), layers: Sequence[int] = LAYERS, channels: int = CHANNELS
    ) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.channels = channels
        self.dropout = nn.Dropout(DROPOUT)
        self.window = nn.Linear(hidden * len(self.layers), 3 * channels)
        self.tags = nn.Linear(channels, tags)

    def forward(self, hidden_states: Sequence[Tensor], attention_mask: Tensor | None = None) -> Tensor:
        """Scores (rows, length, tags) from `hidden_states`, embeddings first, each (rows, length, hidden).

        A piece's scores do not depend on padding; without a mask there is none.
        """
        return self.score(torch.cat([hidden_states[layer] for layer in self.layers], dim=-1), attention_mask)

    def score(self, features: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """The same from the chosen layers laid side by side: (rows, length, hidden x layers)."""
        seen = self.window(self.dropout(features))
        if attention_mask is not None:
            seen = seen * attention_mask.unsqueeze(-1).to(features.dtype)
        before, here, after = seen.split(self.channels, dim=-1)
        before = nn.functional.pad(before, (0, 0, 1, 0))[:, :-1]
        after = nn.functional.pad(after, (0, 0, 0, 1))[:, 1:]
        scores: Tensor = self.tags(self.dropout(nn.functional.gelu(before + here + after)))
        return scores


@dataclass(frozen=True, slots=True)
class _Prepared:
    """One row ready to learn from: features (pieces, width), which word each piece is of, and what words may be."""

    features: Tensor
    owners: Tensor
    allowed: Tensor


@torch.inference_mode()
def token_features(bert: BertModel, rows: Sequence[SpanRow], layers: Sequence[int], batch: int = 64) -> list[Tensor]:
    """The chosen layers of the frozen encoder for each row, laid side by side, as bfloat16 (pieces, width)."""
    bert.eval()  # type: ignore[no-untyped-call]
    features: list[Tensor] = [torch.empty(0)] * len(rows)
    order = sorted(range(len(rows)), key=lambda at: len(rows[at].ids))
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        ids, mask = collate([rows[index].ids for index in chosen])
        states = bert(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        wide = torch.cat([states[layer] for layer in layers], dim=-1).to(torch.bfloat16)
        for at, index in enumerate(chosen):
            features[index] = wide[at, : len(rows[index].ids)].clone()
    return features


def _prepare(rows: Sequence[SpanRow], features: Sequence[Tensor]) -> list[_Prepared]:
    prepared = []
    for row, feature in zip(rows, features, strict=True):
        owners = torch.full((len(row.ids),), -1)
        for number, word in enumerate(row.words):
            owners[word.first : word.last] = number
        prepared.append(_Prepared(feature, owners, torch.from_numpy(row.allowed)))
    return prepared


def _batch(chosen: Sequence[_Prepared]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Padded features, mask, the batch-wide word of each piece (-1 for none), and the allowed tags of all words."""
    longest = max(len(one.features) for one in chosen)
    features = torch.zeros((len(chosen), longest, chosen[0].features.shape[-1]), dtype=torch.bfloat16)
    mask = torch.zeros((len(chosen), longest), dtype=torch.int64)
    owners = torch.full((len(chosen), longest), -1)
    words = 0
    for at, one in enumerate(chosen):
        features[at, : len(one.features)] = one.features
        mask[at, : len(one.features)] = 1
        owners[at, : len(one.owners)] = torch.where(one.owners >= 0, one.owners + words, -1)
        words += len(one.allowed)
    return features, mask, owners, torch.cat([one.allowed for one in chosen])


def span_loss(scores: Tensor, owners: Tensor, allowed: Tensor) -> Tensor:
    """Negative log-probability that each word has one of the tags it may have, averaged over words that teach.

    `scores` (rows, length, tags); `owners` (rows, length) numbers the word of each piece, -1 for none; `allowed`
    (words, tags). A word's scores are the mean of its pieces', as where the spans are decoded.
    """
    flat, owner = scores.reshape(-1, scores.shape[-1]), owners.reshape(-1)
    inside = owner >= 0
    total = flat.new_zeros(allowed.shape).index_add(0, owner[inside], flat[inside])
    count = flat.new_zeros(len(allowed)).index_add(0, owner[inside], flat.new_ones(int(inside.sum())))
    mean = total / count.clamp(min=1.0).unsqueeze(-1)
    right = mean.masked_fill(~allowed, float("-inf")).logsumexp(-1)
    teaches = ~allowed.all(-1)
    return ((mean.logsumexp(-1) - right) * teaches).sum() / teaches.sum().clamp(min=1)


def fit_head(
    head: TokenHead,
    rows: Sequence[SpanRow],
    features: Sequence[Tensor],
    progress: Callable[[str], None],
    seed: int,
    epochs: int,
) -> TokenHead:
    """Train the head on features that were computed before, and give it back with averaged weights, ready to use."""
    rng = random.Random(seed)  # noqa: S311 - an order, not a secret
    prepared = _prepare(rows, features)
    lengths = [len(one.features) for one in prepared]
    batches = (len(prepared) + BATCH - 1) // BATCH
    steps = batches * epochs
    warm = max(1, int(steps * WARM_UP))
    optimizer = torch.optim.AdamW(head.parameters(), lr=PEAK_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (step + 1) / warm if step < warm else max(0.02, (steps - step) / (steps - warm))
    )
    average = torch.optim.swa_utils.AveragedModel(head)
    step = 0
    for epoch in range(epochs):
        head.train()
        total = 0.0
        for chosen in batches_of_like_length(lengths, BATCH, rng):
            features_, mask, owners, allowed = _batch([prepared[at] for at in chosen])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                scores = head.score(features_, mask)
            loss = span_loss(scores.float(), owners, allowed)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            total += float(loss.detach())
            if step > steps * (1 - AVERAGED_SHARE):
                average.update_parameters(head)
        progress(f"token head: epoch {epoch + 1} of {epochs}, loss {total / batches:.4f}")
    head.load_state_dict(average.module.state_dict())
    return head.eval()


def train_token_head(
    model: IntentEncoder, tokenizer: Tokenizer, data_dir: Path, progress: Callable[[str], None], seed: int
) -> TokenHead:
    """A token head for a trained model, which is not changed; from the train and dev parts of the span sets.

    Deterministic for a seed on one machine. Raises DataMissingError, DataInvalidError.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
    marked = load_span_examples(data_dir, "train") + load_span_examples(data_dir, "dev")
    negatives = load_negatives(data_dir, NEGATIVE_ROWS, rng)
    rows = aligned(training_examples(marked, negatives, own=OWN_ROWS, seed=seed), tokenizer)
    progress(f"token head: {len(rows)} texts")
    features = token_features(model.bert, rows, LAYERS)
    head = TokenHead(model.bert.config.hidden_size)
    return fit_head(head, rows, features, progress, seed, EPOCHS)
