"""The recipe of the shipped understanding model.

1. A logistic regression on the frozen encoder's embeddings initialises the head.
2. Teachers are fine-tuned in full: in turn without and with the support examples that we wrote ourselves, whose
   labels follow our reading of Banking77's conventions and not its annotators'.
3. One student learns every row from its label and from the teachers' mean (Hinton et al. 2015), for longer, and sees
   part of the rows as a hurried customer would have typed them. Our own support labels count for less than the
   annotators'; what the teachers make of those rows counts in full.
4. In its last epochs the student computes as the int8 file will and reads messages of several texts (`finish`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from llm_banking.nlu.taxonomy import LABELS, SUPPORT_INTENTS
from llm_banking.training.datasets import Corpus
from llm_banking.training.encoder import IntentEncoder, load_tokenizer, run_batches
from llm_banking.training.fine_tune import Progress, Recipe, Rows, fine_tune
from llm_banking.training.finish import finish

STUDENT_CHOICES = frozenset(
    {
        "student_epochs",
        "distillation_weight",
        "perturbed_share",
        "own_support_trust",
        "finish_epochs",
        "finish_learning_rate",
        "finish_pairs",
        "finish_talk",
        "threads",
    }
)
"""Choices that no teacher depends on."""


def train_student(
    corpus: Corpus, encoder_dir: Path, recipe: Recipe, progress: Progress, work: Path | None = None
) -> IntentEncoder:
    """Run the recipe on a corpus and return the student in eval mode, weights in fp32.

    In the folder `work` each teacher leaves what it said, so that a run that was stopped goes on from there; what
    was left by another recipe or corpus is not taken.
    """
    torch.set_num_threads(recipe.threads)
    tokenizer = load_tokenizer(encoder_dir)
    index = {label: position for position, label in enumerate(LABELS)}
    texts = [row.text for row in corpus.train]
    ours = torch.tensor([row.source == "own" and row.label in SUPPORT_INTENTS for row in corpus.train])
    rows = Rows(
        texts=texts,
        ids=[encoding.ids for encoding in tokenizer.encode_batch(texts)],
        labels=[index[row.label] for row in corpus.train],
        trust=torch.where(ours, recipe.own_support_trust, 1.0),
    )
    stages = _Stages(work, recipe, corpus)
    student = stages.load_student(encoder_dir)
    if student is not None:
        return student
    embeddings = _frozen_embeddings(encoder_dir, rows, progress)
    targets = torch.zeros((len(rows), len(LABELS)))
    for number in range(recipe.teachers):
        said = stages.load(f"teacher-{number + 1}")
        if said is None:
            shown = torch.arange(len(rows)) if number % 2 else (~ours).nonzero(as_tuple=True)[0]
            said = _teacher_says(encoder_dir, rows, shown, embeddings, recipe, progress, number)
            stages.save(f"teacher-{number + 1}", said)
        targets += torch.softmax(said / recipe.distillation_temperature, dim=-1) / recipe.teachers
    rows = replace(rows, targets=targets if recipe.teachers else None)
    student = fine_tune(
        encoder_dir,
        rows,
        _linear_probe(embeddings, rows.labels, recipe),
        recipe,
        epochs=recipe.student_epochs,
        seed=recipe.seed + recipe.teachers,
        report=lambda done, total: progress("student", done, total),
        perturb_with=tokenizer,
    )
    finish(student, rows, tokenizer, recipe, lambda done, total: progress("finish", done, total))
    stages.save_student(student)
    return student


class _Stages:
    """What a stopped run has finished, in a folder, under a name of what made it."""

    def __init__(self, work: Path | None, recipe: Recipe, corpus: Corpus) -> None:
        self.folder = work
        self._made_by = {
            "corpus": corpus.sha256,
            "rows": hashlib.sha256(repr(corpus.train).encode()).hexdigest(),
        }
        self._recipe = recipe.as_dict()

    def load(self, name: str) -> Tensor | None:
        """What a teacher of this recipe and corpus said, if it is there."""
        path = self._path(name, "npy", STUDENT_CHOICES)
        return None if path is None or not path.is_file() else torch.from_numpy(np.load(path, allow_pickle=False))

    def save(self, name: str, value: Tensor) -> None:
        """Write what a teacher said, whole or not at all."""
        path = self._path(name, "npy", STUDENT_CHOICES)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part.npy")
            np.save(partial, value.numpy())
            partial.replace(path)

    def load_student(self, encoder_dir: Path) -> IntentEncoder | None:
        """The student of this recipe and corpus in eval mode, if it is there."""
        path = self._path("student", "safetensors")
        if path is None or not path.is_file():
            return None
        student = IntentEncoder.from_folder(encoder_dir, len(LABELS))
        student.load_state_dict(load_file(str(path)))
        return student.eval()

    def save_student(self, student: IntentEncoder) -> None:
        """Write the student's weights, whole or not at all."""
        path = self._path("student", "safetensors")
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            save_file({name: value.contiguous() for name, value in student.state_dict().items()}, str(partial))
            partial.replace(path)

    def _path(self, name: str, suffix: str, regardless: frozenset[str] = frozenset()) -> Path | None:
        if self.folder is None:
            return None
        recipe = {choice: value for choice, value in self._recipe.items() if choice not in regardless}
        made_by = json.dumps({**self._made_by, "recipe": recipe}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(made_by.encode()).hexdigest()[:16]}-{name}.{suffix}"


def _frozen_embeddings(encoder_dir: Path, rows: Rows, progress: Progress) -> Tensor:
    progress("embeddings", 0, 1)
    _, embeddings = run_batches(IntentEncoder.from_folder(encoder_dir, len(LABELS)), rows.ids)
    progress("embeddings", 1, 1)
    return embeddings


def _linear_probe(embeddings: Tensor, labels: Sequence[int], recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Weights (labels, hidden) and biases (labels,) of a logistic regression on frozen embeddings."""
    probe = LogisticRegression(C=recipe.probe_c, max_iter=200).fit(embeddings.numpy(), labels)
    weights = torch.zeros((len(LABELS), embeddings.shape[1]))
    biases = torch.full((len(LABELS),), float(probe.intercept_.min()))
    weights[probe.classes_] = torch.tensor(probe.coef_, dtype=torch.float32)
    biases[probe.classes_] = torch.tensor(probe.intercept_, dtype=torch.float32)
    return weights, biases


def _teacher_says(
    encoder_dir: Path, rows: Rows, shown: Tensor, embeddings: Tensor, recipe: Recipe, progress: Progress, number: int
) -> Tensor:
    """Logits (rows, labels) for every row, of a teacher that was taught the rows `shown`."""
    known = rows.subset(shown.tolist())
    teacher = fine_tune(
        encoder_dir,
        known,
        _linear_probe(embeddings[shown], known.labels, recipe),
        recipe,
        epochs=recipe.teacher_epochs,
        seed=recipe.seed + number,
        report=lambda done, total: progress(f"teacher {number + 1}", done, total),
    )
    logits, _ = run_batches(teacher, rows.ids)
    return logits
