"""Leave intents out: a small classifier learns some of Banking77's intents, and must refuse the others.

The protocol is that of ADB (Zhang, Xu and Lin, AAAI 2021): a share of the classes is drawn as known, the model is
trained on the known classes alone, and the test holds every class, all unknown ones counted as one "open" class.
No unknown row is seen before the test: the threshold is the score that a fixed share of held-out known rows reaches.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from llm_banking.nlu.metrics import Floats, Ints, area_under_roc
from llm_banking.nlu.scope import Gaussians, energy, top_log_odds
from llm_banking.training.datasets import Example, file_sha256, read_banking77, require
from llm_banking.training.encoder import (
    IntentEncoder,
    batches_of_like_length,
    collate,
    load_tokenizer,
    packaged_encoder_dir,
    run_batches,
)
from llm_banking.training.fine_tune import Progress, optimizer_and_schedule

OPEN = -1
"""The class of every text whose intent was left out."""
PASSED = 0.9
"""The share of held-out known rows whose score is to be at or above the threshold."""
PASSED_TRIED = (0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96)
"""Shares whose figures are written beside, to show the trade between known and unknown."""
SHARES = (0.25, 0.5, 0.75)
VALIDATION_SHARE = 0.1
STAND_IN_SHARE = 0.1
COMBINED = ("top_log_odds", "gaussians", "nearest")
"""The scores whose mean, each standardised on held-out known rows, decides."""


@dataclass(frozen=True, slots=True)
class SmallRecipe:
    """How the small classifier is trained; stored with every result."""

    epochs: int = 2
    batch_rows: int = 32
    learning_rate: float = 1e-4
    head_learning_rate: float = 3e-4
    head_scale: float = 12.0
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    label_smoothing: float = 0.1
    threads: int = 1


def train_small(
    ids: Sequence[Sequence[int]],
    gold: Sequence[int],
    classes: int,
    encoder_dir: Path,
    recipe: SmallRecipe,
    seed: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> IntentEncoder:
    """Fine-tune the encoder with a linear head on rows of token ids; returned in eval mode.

    The head starts at the class means of the frozen embeddings, so that few epochs suffice. Same seed and thread
    count, same weights. `gold` holds labels 0 to classes-1, each at least once.
    """
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(seed)
    order = random.Random(seed)  # noqa: S311 - batch order, not a secret
    model = IntentEncoder.from_folder(encoder_dir, classes)
    labels = torch.tensor(gold)
    _start_head_at_means(model, run_batches(model, ids)[1], labels, recipe.head_scale)
    batches_per_epoch = (len(ids) + recipe.batch_rows - 1) // recipe.batch_rows
    steps = batches_per_epoch * recipe.epochs
    optimizer, schedule = optimizer_and_schedule(
        model,
        steps,
        learning_rate=recipe.learning_rate,
        head_learning_rate=recipe.head_learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_share=recipe.warmup_share,
    )
    model.train()
    lengths = [len(row) for row in ids]
    done = 0
    for _ in range(recipe.epochs):
        for batch in batches_of_like_length(lengths, recipe.batch_rows, order):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits, _ = model(*collate([ids[i] for i in batch]))
            loss = cross_entropy(logits.float(), labels[batch], label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            done += 1
            progress(done, steps)
    return model.eval()


def _start_head_at_means(model: IntentEncoder, embeddings: Tensor, labels: Tensor, scale: float) -> None:
    means = torch.zeros_like(model.head.weight)
    means.index_add_(0, labels, embeddings)
    with torch.no_grad():
        model.head.weight.copy_(scale * nn.functional.normalize(means, dim=-1))
        model.head.bias.zero_()


def open_set_figures(gold: Ints, predicted: Ints) -> dict[str, float]:
    """Macro-F1 over the known classes, F1 of the open class, and accuracy with the open class as one class.

    Both arrays hold class numbers from 0 and OPEN. A class without rows in either counts as F1 0.
    """

    def f1(one: int) -> float:
        both = float(((gold == one) & (predicted == one)).sum())
        there = float((gold == one).sum() + (predicted == one).sum())
        return 2 * both / there if there else 0.0

    known = [one for one in np.unique(gold).tolist() if one != OPEN]
    return {
        "known_f1": float(np.mean([f1(one) for one in known])),
        "unknown_f1": f1(OPEN),
        "accuracy": float((gold == predicted).mean()),
    }


def draw_known(labels: Sequence[str], share: float, draw: int) -> list[str]:
    """The labels that draw number `draw` takes as known, a `share` of them, in alphabetical order."""
    rng = random.Random(f"{share}/{draw}")  # noqa: S311 - a draw of classes, not a secret
    return sorted(rng.sample(sorted(labels), round(share * len(labels))))


def run_leave_intents_out(
    data_dir: Path,
    out_dir: Path,
    *,
    draws: Sequence[int] = range(10),
    shares: Sequence[float] = SHARES,
    recipe: SmallRecipe | None = None,
    test_file: Path | None = None,
    encoder_dir: Path | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> list[dict[str, Any]]:
    """Run every share and draw; one JSON file each in `out_dir`, and a draw whose file is there is not run again.

    `test_file` is Banking77's official test file; without it, a tenth of each class of train.csv stands in for it and
    leaves training. A file written under other settings is run anew. Raises DataMissingError, DataInvalidError.
    """
    recipe = recipe or SmallRecipe()
    train_path = require(data_dir, "banking77/train.csv")
    rows = read_banking77(train_path)
    if test_file is None:
        rows, test = split_by_class(rows, STAND_IN_SHARE, seed=77)
    else:
        test = read_banking77(test_file)
    settings = {
        "recipe": asdict(recipe),
        "passed": PASSED,
        "combined": list(COMBINED),
        "train_sha256": file_sha256(train_path),
        "test": file_sha256(test_file) if test_file else "a tenth of each class of train.csv",
    }
    labels = sorted({row.label for row in rows})
    out_dir.mkdir(parents=True, exist_ok=True)
    found = []
    for draw in draws:
        for share in shares:
            path = out_dir / f"known-{round(share * 100)}-draw-{draw:02d}.json"
            document = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            if document.get("settings") != settings:
                what = f"{share:.0%} known, draw {draw}"

                def step(done: int, total: int, what: str = what) -> None:
                    progress(what, done, total)

                known = draw_known(labels, share, draw)
                figures = one_draw(rows, test, known, encoder_dir or packaged_encoder_dir(), recipe, draw, step)
                document = {"share": share, "draw": draw, "settings": settings, **figures}
                path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
            found.append(document)
    return found


def split_by_class(rows: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """(the rest, `share` of each class, at least one row), drawn with the seed."""
    rng = random.Random(seed)  # noqa: S311 - a split, not a secret
    by_label: dict[str, list[Example]] = {}
    for row in rows:
        by_label.setdefault(row.label, []).append(row)
    kept: list[Example] = []
    held: list[Example] = []
    for label in sorted(by_label):
        group = by_label[label]
        rng.shuffle(group)
        cut = max(1, round(len(group) * share))
        held += group[:cut]
        kept += group[cut:]
    return kept, held


def one_draw(
    rows: Sequence[Example],
    test: Sequence[Example],
    known: Sequence[str],
    encoder_dir: Path,
    recipe: SmallRecipe,
    seed: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """Train on the known classes' rows, choose the threshold on held-out ones, and score the whole test."""
    started = time.monotonic()
    index = {label: position for position, label in enumerate(known)}
    train, validation = split_by_class([row for row in rows if row.label in index], VALIDATION_SHARE, seed)
    tokenizer = load_tokenizer(encoder_dir)
    ids = {
        name: [one.ids for one in tokenizer.encode_batch([row.text for row in part])]
        for name, part in (("train", train), ("validation", validation), ("test", test))
    }
    gold = np.array([index[row.label] for row in train])
    model = train_small(ids["train"], gold.tolist(), len(known), encoder_dir, recipe, seed, progress)
    seen = {name: tuple(part.numpy().astype(np.float64) for part in run_batches(model, ids[name])) for name in ids}
    scores = open_scores(seen["train"][1], gold, seen["validation"], seen["test"])
    test_gold = np.array([index.get(row.label, OPEN) for row in test])
    best = seen["test"][0].argmax(axis=1)

    def figures(passed: float, score: str = "combined") -> dict[str, float]:
        on_validation, on_test = scores[score]
        threshold = np.quantile(on_validation, 1.0 - passed)
        return open_set_figures(test_gold, np.where(on_test >= threshold, best, OPEN))

    return {
        "known": list(known),
        "rows": {"train": len(train), "validation": len(validation), "test": len(test)},
        **figures(PASSED),
        "by_passed": {f"{passed:.2f}": figures(passed) for passed in PASSED_TRIED},
        "by_score": {name: figures(PASSED, name) for name in scores},
        "known_accuracy_closed": float((best == test_gold)[test_gold != OPEN].mean()),
        "auroc": {
            name: area_under_roc(on_test[test_gold != OPEN], on_test[test_gold == OPEN])
            for name, (_, on_test) in scores.items()
        },
        "seconds": round(time.monotonic() - started, 1),
    }


def open_scores(
    train: Floats, gold: Ints, validation: tuple[Floats, ...], test: tuple[Floats, ...]
) -> dict[str, tuple[Floats, Floats]]:
    """Every score on the validation and on the test rows, given as (logits, embeddings); higher is "more known".

    "combined" is the mean of those in COMBINED, each standardised on the validation rows.
    """
    gaussians = Gaussians.fit(train, gold)
    # A column that no class fills: the shared scores expect the reject label last, and the small model has none.
    logits = [np.column_stack([part[0], np.zeros(len(part[0]))]) for part in (validation, test)]
    table: dict[str, tuple[Floats, Floats]] = {
        "top_log_odds": (top_log_odds(logits[0]), top_log_odds(logits[1])),
        "energy": (energy(logits[0]), energy(logits[1])),
        "gaussians": (gaussians.score(validation[1]), gaussians.score(test[1])),
        "nearest": ((validation[1] @ train.T).max(axis=1), (test[1] @ train.T).max(axis=1)),
    }
    combined = []
    for side in range(2):
        parts = [(table[name][side] - table[name][0].mean()) / max(table[name][0].std(), 1e-9) for name in COMBINED]
        combined.append(np.mean(parts, axis=0))
    table["combined"] = (combined[0], combined[1])
    return table
