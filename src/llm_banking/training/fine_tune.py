"""One full fine-tuning of the encoder and its head."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from llm_banking.training.augment import augment
from llm_banking.training.encoder import IntentEncoder, batches_of_like_length, collate

Progress = Callable[[str, int, int], None]
"""Called with (what, steps done, steps in all)."""
AVERAGE_EVERY = 3
"""Weights are averaged at each third step: neighbours are alike, and a pass over them costs a tenth of a step."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice that shapes the weights. Stored in the manifest."""

    seed: int = 20
    teachers: int = 3
    teacher_epochs: int = 3
    student_epochs: int = 4
    batch_rows: int = 32
    learning_rate: float = 1e-4
    head_learning_rate: float = 3e-4
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    r_drop_weight: float = 1.0
    average_last_share: float = 0.4
    distillation_weight: float = 0.5
    distillation_temperature: float = 2.0
    perturbed_share: float = 0.3
    own_support_trust: float = 0.3
    finish_epochs: int = 2
    finish_learning_rate: float = 4e-5
    finish_pairs: int = 12
    finish_talk: float = 0.3
    probe_c: float = 20.0
    threads: int = 2

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rows:
    """Texts, their token ids and label indices in one order, and what teachers said of them.

    `trust` weighs each row's label, (rows,), 1.0 where None. `targets` are softened probabilities, (rows, labels), or
    None where there are no teachers.
    """

    texts: list[str]
    ids: list[list[int]]
    labels: list[int]
    trust: Tensor | None = None
    targets: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def subset(self, positions: Sequence[int]) -> Rows:
        """The named rows in that order, trusted in full, without targets."""
        return Rows(
            [self.texts[i] for i in positions], [self.ids[i] for i in positions], [self.labels[i] for i in positions]
        )


class _Average:
    """Running mean of a module's weights in fp32 (Izmailov et al. 2018)."""

    def __init__(self, module: nn.Module) -> None:
        self.count = 0
        self.mean = {name: value.detach().clone().float() for name, value in module.state_dict().items()}

    def add(self, module: nn.Module) -> None:
        self.count += 1
        for name, value in module.state_dict().items():
            self.mean[name].add_((value.float() - self.mean[name]) / self.count)


@dataclass(frozen=True, slots=True)
class Phase:
    """A run of epochs: its seed and rates, whose typing errors it shows, and what else each step is judged by.

    With `perturb_with`, the second sight of some rows is as a hurried customer would have typed them. `also` gives a
    loss that is added at each step.
    """

    epochs: int
    seed: int
    learning_rate: float
    head_learning_rate: float
    perturb_with: Tokenizer | None = None
    also: Callable[[IntentEncoder, random.Random], Tensor] | None = None


def fine_tune(
    encoder_dir: Path,
    rows: Rows,
    probe: tuple[Tensor, Tensor],
    recipe: Recipe,
    *,
    epochs: int,
    seed: int,
    report: Callable[[int, int], None],
    perturb_with: Tokenizer | None = None,
) -> IntentEncoder:
    """Fine-tune the pretrained encoder on `rows` from a head given by `probe`; returns it in eval mode, fp32.

    `report` is called with (steps done, steps in all).
    """
    model = IntentEncoder.from_folder(encoder_dir, probe[1].shape[0])
    with torch.no_grad():
        model.head.weight.copy_(probe[0])
        model.head.bias.copy_(probe[1])
    phase = Phase(epochs, seed, recipe.learning_rate, recipe.head_learning_rate, perturb_with)
    return run_phase(model, rows, recipe, phase, report)


def run_phase(
    model: IntentEncoder, rows: Rows, recipe: Recipe, phase: Phase, report: Callable[[int, int], None]
) -> IntentEncoder:
    """Train `model` in place and return it with the averaged weights, in eval mode.

    Each step sees every row of its batch twice. `report` is called with (steps done, steps in all).
    """
    torch.manual_seed(phase.seed)
    rng = random.Random(phase.seed)  # noqa: S311 - batch order and typos, not a secret
    steps = (len(rows) + recipe.batch_rows - 1) // recipe.batch_rows * phase.epochs
    optimizer, schedule = optimizer_and_schedule(
        model,
        steps,
        learning_rate=phase.learning_rate,
        head_learning_rate=phase.head_learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_share=recipe.warmup_share,
    )
    average = _Average(model)
    model.train()
    step = 0
    lengths = [len(ids) for ids in rows.ids]
    for _ in range(phase.epochs):
        for batch in batches_of_like_length(lengths, recipe.batch_rows, rng):
            second = [rows.ids[i] for i in batch]
            if phase.perturb_with is not None:
                second = _perturbed(rows, batch, phase.perturb_with, recipe.perturbed_share, rng)
            loss = _loss(model, rows, batch, second, recipe)
            if phase.also is not None:
                loss = loss + phase.also(model, rng)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step > steps * (1 - recipe.average_last_share) and step % AVERAGE_EVERY == 0:
                average.add(model)
            report(step, steps)
    if average.count:
        model.load_state_dict(average.mean)
    return model.eval()


def optimizer_and_schedule(
    model: IntentEncoder,
    steps: int,
    *,
    learning_rate: float,
    head_learning_rate: float,
    weight_decay: float,
    warmup_share: float,
) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.LambdaLR]:
    """AdamW with a faster head and a linear warm-up and decay."""
    optimizer = torch.optim.AdamW(
        [
            {"params": list(model.bert.parameters()), "lr": learning_rate},
            {"params": list(model.head.parameters()), "lr": head_learning_rate},
        ],
        weight_decay=weight_decay,
        fused=True,
    )
    warmup = max(1, int(steps * warmup_share))

    def factor(step: int) -> float:
        return (step + 1) / warmup if step < warmup else max(0.0, (steps - step) / max(1, steps - warmup))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _perturbed(
    rows: Rows, batch: Sequence[int], tokenizer: Tokenizer, share: float, rng: random.Random
) -> list[list[int]]:
    found = []
    for i in batch:
        ids = rows.ids[i]
        if rng.random() < share:
            ids = tokenizer.encode(augment(rows.texts[i], rng)).ids
        found.append(ids)
    return found


def _loss(
    model: IntentEncoder, rows: Rows, batch: Sequence[int], second: Sequence[Sequence[int]], recipe: Recipe
) -> Tensor:
    """Cross-entropy on both sights, their symmetric divergence (R-Drop, Liang et al. 2021), and the teachers."""
    ids, mask = collate([*(rows.ids[i] for i in batch), *second])
    gold = torch.tensor([rows.labels[i] for i in batch] * 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, _ = model(ids, mask)
    logits = logits.float()
    hard = cross_entropy(logits, gold, label_smoothing=recipe.label_smoothing, reduction="none")
    if rows.trust is not None:
        hard = hard * rows.trust[list(batch)].repeat(2)
    loss = hard.mean()
    if rows.targets is not None:
        warm = recipe.distillation_temperature
        wanted = rows.targets[list(batch)].repeat(2, 1)
        soft = kl_div(log_softmax(logits / warm, -1), wanted, reduction="batchmean") * warm**2
        loss = (1 - recipe.distillation_weight) * loss + recipe.distillation_weight * soft
    first, other = log_softmax(logits, -1).chunk(2)
    agree = kl_div(first, other, log_target=True, reduction="batchmean") + kl_div(
        other, first, log_target=True, reduction="batchmean"
    )
    total: Tensor = loss + recipe.r_drop_weight * agree / 2
    return total
