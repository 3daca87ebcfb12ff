"""Training text: where it lies, how it is read, checked, merged and split.

Data sets are never part of the project; they are read from `LLM_BANKING_DATA_DIR`. The only text that ships
lies in `data/*_examples.yml`, written for this project.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import yaml

from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.taxonomy import BY_NAME, CLINC_TO_INTENT, OUT_OF_SCOPE, SUPPORT_INTENTS

CLINC_OURS = frozenset({"banking", "credit_cards"})
CLINC_NEVER_REJECTED = frozenset(
    {
        "exchange_rate",
        "maybe",
        "repeat",
        "what_is_your_name",
        "who_do_you_work_for",
        "who_made_you",
    }
)
"""CLINC classes too close to what we serve to be taught as 'not ours', and not what we serve either."""
CLINC_UNSEEN_DOMAINS = frozenset({"travel", "oos"})
"""Out-of-scope domains kept out of training, so that the reject threshold is judged on strangers."""

OWN_EXAMPLES = ("operational_examples.yml", "support_examples.yml")
"""Text written for this project, in the folder `data` beside this module."""
HELD_OUT_SUPPORT_ROWS = 8
HELD_OUT_OPERATIONAL_ROWS = 20
HELD_OUT_REJECT_SHARE = 0.1
"""What calibration takes of each label: Banking77's own rows for a support intent, any source for the others."""

_WHERE = {
    "banking77/train.csv": "github.com/PolyAI-LDN/task-specific-datasets, folder banking_data (CC-BY-4.0)",
    "clinc150/train.jsonl.gz": "github.com/clinc/oos-eval, data_full.json as text, intent, domain rows (CC-BY-3.0)",
    "nlupp/banking_folds0-9.jsonl": "github.com/PolyAI-LDN/task-specific-datasets, folder nlupp (CC-BY-4.0)",
    "sgd_banks/user_turns_train.jsonl": (
        "github.com/google-research-datasets/dstc8-schema-guided-dialogue, user turns of Banks (CC-BY-SA-4.0)"
    ),
    "multidogo_finance/pii_spans_train.jsonl.gz": (
        "github.com/awslabs/multi-domain-goal-oriented-dialogues-dataset, finance (CDLA-Permissive-1.0)"
    ),
    "presidio_research/generated_large.jsonl": "github.com/microsoft/presidio-research (MIT)",
}


class DataMissingError(LlmBankingError):
    """A data set that a training command needs is not there; the message says what to get and where."""

    code = "DATA_MISSING"


class DataInvalidError(LlmBankingError):
    """A data file is there and a row of it cannot be used; the message names file, line and remedy."""

    code = "DATA_INVALID"


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text and where it came from."""

    text: str
    label: str
    source: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """What one training run sees: rows to learn from, rows to calibrate on, strangers, and file hashes."""

    train: tuple[Example, ...]
    calibration: tuple[Example, ...]
    unseen_out_of_scope: tuple[Example, ...]
    sha256: dict[str, str]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as hexadecimal text."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def require(data_dir: Path, name: str) -> Path:
    """The path of a data file; raises DataMissingError that says where to get it."""
    path = data_dir / name
    if not path.is_file():
        raise DataMissingError(
            f"{path} is not there. Get it from {_WHERE.get(name, 'the project data folder')} "
            "and point LLM_BANKING_DATA_DIR at the folder that holds it."
        )
    return path


def read_banking77(path: Path) -> list[Example]:
    """Rows of a Banking77 CSV (columns text, category). Raises DataInvalidError on an unknown category."""
    known = set(SUPPORT_INTENTS)
    rows: list[Example] = []
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames is None or not {"text", "category"} <= set(reader.fieldnames):
            raise DataInvalidError(f"{path}: line 1: the columns 'text' and 'category' are needed.")
        for row in reader:
            if row["category"] not in known:
                raise DataInvalidError(
                    f"{path}: line {reader.line_num}: '{row['category']}' is no Banking77 category; "
                    "use the label list that `llm-banking nlu labels` prints."
                )
            rows.append(Example(row["text"], row["category"], "banking77"))
    return rows


def _read_clinc(path: Path) -> Iterator[tuple[str, str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                row = json.loads(line)
                text, intent, domain = (row[name] for name in ("text", "intent", "domain"))
            except (ValueError, KeyError, TypeError):
                text = intent = domain = None
            if not (isinstance(text, str) and isinstance(intent, str) and isinstance(domain, str)):
                raise DataInvalidError(
                    f"{path}: line {number}: a JSON object with text, intent and domain is needed; get the file again."
                )
            yield text, intent, domain


def _own_file(name: str) -> bytes:
    return (resources.files("llm_banking.training") / "data" / name).read_bytes()


def read_own_examples() -> dict[str, list[str]]:
    """The utterances written for this project, by label (`out_of_scope_near` appears as out_of_scope)."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in OWN_EXAMPLES:
        document = yaml.safe_load(_own_file(name))
        unknown = sorted(set(document["examples"]) - set(BY_NAME))
        if unknown:
            raise DataInvalidError(f"{name} names unknown intents: {', '.join(unknown)}.")
        for label, texts in document["examples"].items():
            found[label] += texts
        found[OUT_OF_SCOPE] += document.get("out_of_scope_near", [])
    return dict(found)


def canonical(text: str) -> str:
    """Lower-case words without punctuation: two texts equal under this are the same row."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _punctuated(row: Example, rng: random.Random) -> Example:
    """The row as somebody else might have typed it.

    CLINC150 is written without punctuation and Banking77 with it; half of the other rows are given some, so that
    the model cannot tell a layer by its typist.
    """
    if row.source == "banking77" or row.text[-1:] in ".?!" or rng.random() < 0.5:
        return row
    asks = re.match(
        r"(what|how|when|where|why|who|which|can|could|is|are|do|does|will|would)\b", row.text, re.IGNORECASE
    )
    return replace(row, text=row.text + ("?" if asks else "."))


def _sample(rows: list[Example], most: int, rng: random.Random) -> list[Example]:
    return rows if len(rows) <= most else rng.sample(rows, most)


def _split(rows: Iterable[Example], rng: random.Random) -> tuple[list[Example], list[Example]]:
    """(rows to learn from, rows held out): so many of each label as is stated above, never more than half."""
    groups: dict[str, list[Example]] = defaultdict(list)
    kept: list[Example] = []
    for row in rows:
        if row.label in SUPPORT_INTENTS and row.source != "banking77":
            kept.append(row)
        else:
            groups[row.label].append(row)
    held: list[Example] = []
    for label in sorted(groups):
        group = groups[label][:]
        rng.shuffle(group)
        cut = min(_held_out_rows(label, len(group)), len(group) // 2)
        held += group[:cut]
        kept += group[cut:]
    return kept, held


def _held_out_rows(label: str, rows: int) -> int:
    if label == OUT_OF_SCOPE:
        return round(rows * HELD_OUT_REJECT_SHARE)
    return HELD_OUT_SUPPORT_ROWS if label in SUPPORT_INTENTS else HELD_OUT_OPERATIONAL_ROWS


def load_corpus(
    data_dir: Path,
    *,
    seed: int = 0,
    reject_rows_per_domain: int = 170,
    rows_per_label: int | None = None,
) -> Corpus:
    """Read, merge and split every training source.

    Banking77's test file is not opened here. Rows equal under `canonical` are kept once, and only where their
    labels agree. `rows_per_label` shrinks the corpus for a quick run of the pipeline.
    Raises DataMissingError, DataInvalidError.
    """
    rng = random.Random(seed)  # noqa: S311 - a split, not a secret
    banking = require(data_dir, "banking77/train.csv")
    clinc = require(data_dir, "clinc150/train.jsonl.gz")
    rows = read_banking77(banking)
    rejects: dict[str, list[Example]] = defaultdict(list)
    for text, intent, domain in _read_clinc(clinc):
        if intent in CLINC_TO_INTENT:
            rows.append(Example(text, CLINC_TO_INTENT[intent], "clinc150"))
        elif domain not in CLINC_OURS and intent not in CLINC_NEVER_REJECTED:
            rejects[domain].append(Example(text, OUT_OF_SCOPE, f"clinc150:{domain}"))
    for label, texts in read_own_examples().items():
        rows += [Example(text, label, "own") for text in texts]
    for domain in sorted(set(rejects) - CLINC_UNSEEN_DOMAINS):
        rows += _sample(rejects[domain], reject_rows_per_domain, rng)
    rows = _deduplicated(rows)
    if rows_per_label is not None:
        by_label: dict[str, list[Example]] = defaultdict(list)
        for row in rows:
            by_label[row.label].append(row)
        rows = [row for label in sorted(by_label) for row in _sample(by_label[label], rows_per_label, rng)]
    train, calibration = _split([_punctuated(row, rng) for row in rows], rng)
    unseen = [row for domain in sorted(CLINC_UNSEEN_DOMAINS) for row in _sample(rejects[domain], 300, rng)]
    return Corpus(
        train=tuple(train),
        calibration=tuple(calibration),
        unseen_out_of_scope=tuple(unseen),
        sha256={
            "banking77/train.csv": file_sha256(banking),
            "clinc150/train.jsonl.gz": file_sha256(clinc),
            **{name: hashlib.sha256(_own_file(name)).hexdigest() for name in OWN_EXAMPLES},
        },
    )


def _deduplicated(rows: list[Example]) -> list[Example]:
    labels: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        labels[canonical(row.text)].add(row.label)
    seen: set[str] = set()
    kept: list[Example] = []
    for row in rows:
        key = canonical(row.text)
        if key and len(labels[key]) == 1 and key not in seen:
            seen.add(key)
            kept.append(row)
    return kept
