"""The recipe of the shipped understanding model.

1. A logistic regression on the frozen encoder's embeddings initialises the head.
2. Several teachers are fine-tuned in full, differing by seed: cross-entropy with label smoothing and R-Drop
   (Liang et al. 2021), weights averaged over the last part of training (Izmailov et al. 2018).
3. One student, trained the same way, also matches the teachers' mean prediction (Hinton et al. 2015).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from llm_banking.nlu.taxonomy import LABELS
from llm_banking.training.datasets import Corpus
from llm_banking.training.encoder import IntentEncoder, collate, load_tokenizer, run_batches

Progress = Callable[[str, int, int], None]
"""Called with (what, steps done, steps in all)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice that shapes the weights. Stored in the manifest."""

    seed: int = 20
    teachers: int = 3
    epochs: int = 3
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
    probe_c: float = 20.0
    threads: int = 2

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows as token ids and label indices, in one order."""

    ids: list[list[int]]
    labels: list[int]


class _Average:
    """Running mean of a module's weights in fp32."""

    def __init__(self, module: nn.Module) -> None:
        self.count = 0
        self.mean = {name: value.detach().clone().float() for name, value in module.state_dict().items()}

    def add(self, module: nn.Module) -> None:
        self.count += 1
        for name, value in module.state_dict().items():
            self.mean[name].add_((value.float() - self.mean[name]) / self.count)


def train_student(corpus: Corpus, encoder_dir: Path, recipe: Recipe, progress: Progress) -> IntentEncoder:
    """Run the recipe on a corpus and return the student in eval mode, weights in fp32."""
    torch.set_num_threads(recipe.threads)
    tokenizer = load_tokenizer(encoder_dir)
    index = {label: position for position, label in enumerate(LABELS)}
    rows = Encoded(
        ids=[encoding.ids for encoding in tokenizer.encode_batch([row.text for row in corpus.train])],
        labels=[index[row.label] for row in corpus.train],
    )
    probe = _linear_probe(encoder_dir, rows, recipe, progress)
    targets: Tensor | None = None
    for number in range(recipe.teachers):
        teacher = _fine_tune(
            encoder_dir, rows, probe, recipe, recipe.seed + number, None, progress, f"teacher {number + 1}"
        )
        logits, _ = run_batches(teacher, rows.ids)
        softened = torch.softmax(logits / recipe.distillation_temperature, dim=-1) / recipe.teachers
        targets = softened if targets is None else targets + softened
    return _fine_tune(encoder_dir, rows, probe, recipe, recipe.seed + recipe.teachers, targets, progress, "student")


def _linear_probe(encoder_dir: Path, rows: Encoded, recipe: Recipe, progress: Progress) -> tuple[Tensor, Tensor]:
    """Weights (labels, hidden) and biases (labels,) of a logistic regression on frozen embeddings."""
    progress("linear probe", 0, 2)
    frozen = IntentEncoder.from_folder(encoder_dir, len(LABELS))
    _, embeddings = run_batches(frozen, rows.ids)
    progress("linear probe", 1, 2)
    probe = LogisticRegression(C=recipe.probe_c, max_iter=200).fit(embeddings.numpy(), rows.labels)
    weights = torch.zeros((len(LABELS), embeddings.shape[1]))
    biases = torch.full((len(LABELS),), float(probe.intercept_.min()))
    weights[probe.classes_] = torch.tensor(probe.coef_, dtype=torch.float32)
    biases[probe.classes_] = torch.tensor(probe.intercept_, dtype=torch.float32)
    progress("linear probe", 2, 2)
    return weights, biases


def _fine_tune(
    encoder_dir: Path,
    rows: Encoded,
    probe: tuple[Tensor, Tensor],
    recipe: Recipe,
    seed: int,
    targets: Tensor | None,
    progress: Progress,
    name: str,
) -> IntentEncoder:
    """One full fine-tuning; `targets` are softened teacher probabilities by row, or None."""
    torch.manual_seed(seed)
    order = random.Random(seed)  # noqa: S311 - batch order, not a secret
    model = IntentEncoder.from_folder(encoder_dir, len(LABELS))
    with torch.no_grad():
        model.head.weight.copy_(probe[0])
        model.head.bias.copy_(probe[1])
    batches_per_epoch = (len(rows.ids) + recipe.batch_rows - 1) // recipe.batch_rows
    steps = batches_per_epoch * recipe.epochs
    optimizer, schedule = _optimizer(model, recipe, steps)
    average = _Average(model)
    model.train()
    step = 0
    for _ in range(recipe.epochs):
        for batch in _batches(rows, recipe.batch_rows, order):
            loss = _loss(model, rows, batch, targets, recipe)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step > steps * (1 - recipe.average_last_share):
                average.add(model)
            progress(name, step, steps)
    model.load_state_dict(average.mean)
    return model.eval()


def _optimizer(
    model: IntentEncoder, recipe: Recipe, steps: int
) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.LambdaLR]:
    """AdamW with a faster head and a linear warm-up and decay."""
    head = list(model.head.parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": list(model.bert.parameters()), "lr": recipe.learning_rate},
            {"params": head, "lr": recipe.head_learning_rate},
        ],
        weight_decay=recipe.weight_decay,
    )
    warmup = max(1, int(steps * recipe.warmup_share))

    def factor(step: int) -> float:
        return (step + 1) / warmup if step < warmup else max(0.0, (steps - step) / max(1, steps - warmup))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _batches(rows: Encoded, size: int, order: random.Random) -> list[list[int]]:
    """Shuffled batches whose rows have like length, so that little is spent on padding."""
    shuffled = list(range(len(rows.ids)))
    order.shuffle(shuffled)
    batches: list[list[int]] = []
    pool = size * 50
    for start in range(0, len(shuffled), pool):
        chunk = sorted(shuffled[start : start + pool], key=lambda i: len(rows.ids[i]))
        batches += [chunk[i : i + size] for i in range(0, len(chunk), size)]
    order.shuffle(batches)
    return batches


def _loss(model: IntentEncoder, rows: Encoded, batch: Sequence[int], targets: Tensor | None, recipe: Recipe) -> Tensor:
    """Cross-entropy on two dropout passes, their symmetric divergence, and the teachers where there are any."""
    ids, mask = collate([rows.ids[i] for i in batch])
    gold = torch.tensor([rows.labels[i] for i in batch])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, _ = model(torch.cat([ids, ids]), torch.cat([mask, mask]))
    logits = logits.float()
    first, second = logits.chunk(2)
    hard = cross_entropy(logits, torch.cat([gold, gold]), label_smoothing=recipe.label_smoothing)
    log_first, log_second = log_softmax(first, -1), log_softmax(second, -1)
    agree = (
        kl_div(log_first, log_second, log_target=True, reduction="batchmean")
        + kl_div(log_second, log_first, log_target=True, reduction="batchmean")
    ) / 2
    loss = hard
    if targets is not None:
        warm = recipe.distillation_temperature
        wanted = targets[list(batch)]
        soft = kl_div(log_softmax(logits / warm, -1), torch.cat([wanted, wanted]), reduction="batchmean") * warm**2
        loss = (1 - recipe.distillation_weight) * hard + recipe.distillation_weight * soft
    total: Tensor = loss + recipe.r_drop_weight * agree
    return total
