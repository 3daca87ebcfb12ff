"""How fast a text is read, where the time goes, and what each choice of the runtime costs or gives.

Run on a quiet machine: `llm-banking nlu reading-speed`.
"""

from __future__ import annotations

import asyncio
import csv
import json
import multiprocessing
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from rich.console import Console
from tokenizers import Tokenizer

from llm_banking.nlu.artifact import MODEL_FILE, OUTPUTS, TOKENIZER_FILE
from llm_banking.nlu.normalise import normalise
from llm_banking.nlu.reader import MAX_TOKENS, SLOWER_HERE, Reader
from llm_banking.nlu.run_cache import MAX_CACHED_TOKENS, RunCache, Seen
from llm_banking.nlu.service import ReadingService
from llm_banking.nlu.slots import find_slots
from llm_banking.proof.bench import machine, resident_mib
from llm_banking.proof.reading_baselines import baselines
from llm_banking.proof.timing import SEED, in_blocks, interleaved, percentiles

RESULTS_FILE = "reading-speed.json"
TEXTS = 300
BLOCK_TEXTS = 100
BLOCKS = 7
BATCHES = (1, 2, 4, 8, 16)
BATCH_TEXTS = 1600
THREADS = (1, 2, 4)
CLIENTS = 16
LOAD_TEXTS = 400
TICK_S = 0.001
NEW_PROCESSES = 5
TODAY = date(2026, 1, 5)

Outputs = tuple[NDArray[np.float32], ...]


def run_reading_speed(data_dir: Path, out: Path) -> Path:
    """Measure everything and write `out`/RESULTS_FILE. Returns its path. Takes under two minutes.

    Texts are training rows of Banking77; nothing is scored. Raises FileNotFoundError without the data.
    """
    console = Console(stderr=True)
    rows = training_rows(data_dir)
    texts = [text for text, _ in random.Random(SEED).sample(rows, TEXTS)]  # noqa: S311 - a sample, no secret
    model = Model(Reader.open().artifact.folder)
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "new_process": new_process,
        "one_text": lambda: one_text(model, texts),
        "session_options": lambda: session_options(model, texts),
        "session_threads": lambda: session_threads(model, texts),
        "batches": lambda: batches(model, [text for text, _ in rows]),
        "cache": lambda: cache(model, texts),
        "read_threads": lambda: read_threads(texts),
        "server_load": lambda: server_load(texts),
        "others": lambda: baselines(rows, texts, {"this": Reader.open().read}),
    }
    document: dict[str, Any] = {
        "machine": {**machine(), "load_before": [round(one, 2) for one in os.getloadavg()]},
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "texts": {"file": "banking77/train.csv", "count": len(texts), "tokens": _spread(model.lengths(texts))},
    }
    for name, step in steps.items():
        start = time.perf_counter()
        document[name] = step()
        console.print(f"measured {name} in {time.perf_counter() - start:.1f} s")
    out.mkdir(parents=True, exist_ok=True)
    path = out / RESULTS_FILE
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def training_rows(data_dir: Path) -> list[tuple[str, str]]:
    """(text, label) of Banking77's training file."""
    with (data_dir / "banking77" / "train.csv").open(encoding="utf-8", newline="") as stream:
        return [(row["text"], row["category"]) for row in csv.DictReader(stream)]


class Model:
    """The graph and the tokenizer of a model folder by themselves, under session options of choice."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / MODEL_FILE
        self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.no_padding()
        self.run = self.session()

    def session(
        self, *, config: dict[str, str] | None = None, without: Sequence[str] = SLOWER_HERE, **options: Any
    ) -> Callable[[list[list[int]]], Outputs]:
        """A session: rows of token ids of equal length in, every output. `options` are onnxruntime.SessionOptions'."""
        wanted = ort.SessionOptions()
        for name, value in {"intra_op_num_threads": 1, "inter_op_num_threads": 1, **options}.items():
            setattr(wanted, name, value)
        wanted.log_severity_level = 3
        for name, entry in (config or {}).items():
            wanted.add_session_config_entry(name, entry)
        session = ort.InferenceSession(
            str(self.path), wanted, providers=["CPUExecutionProvider"], disabled_optimizers=list(without)
        )

        def run(rows: list[list[int]]) -> Outputs:
            ids = np.array(rows, dtype=np.int64)
            logits, embeddings, tags = session.run(OUTPUTS, {"input_ids": ids, "pooling": _whole_texts(ids.shape)})
            return logits[:, 0], embeddings[:, 0], tags

        return run

    def ids(self, text: str) -> list[int]:
        """Token ids of a text."""
        found: list[int] = self.tokenizer.encode(normalise(text).text).ids
        return found

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has."""
        return [len(self.ids(text)) for text in texts]


def _whole_texts(shape: tuple[int, ...]) -> NDArray[np.float32]:
    rows, length = shape
    return np.full((rows, 1, length), 1.0 / length, dtype=np.float32)


def one_text(model: Model, texts: Sequence[str]) -> dict[str, Any]:
    """Reading one text on one thread, its parts, and how it grows with the length."""
    reader = Reader.open()
    ids = {text: model.ids(text) for text in texts}
    words = ("my transfer to the landlord is still pending and the fee was charged twice " * 20).split()
    long = {
        tokens: model.tokenizer.decode(model.ids(" ".join(words))[1 : tokens - 1]) for tokens in (8, 16, 32, 64, 128)
    }
    by_length = {
        str(len(model.ids(text))): interleaved({"read": reader.read}, [text] * 60)["read"] for text in long.values()
    }
    return {
        "parts": interleaved(
            {
                "read": reader.read,
                "normalise": normalise,
                "tokenise": model.tokenizer.encode,
                "model": lambda text: model.run([ids[text]]),
                "slots": lambda text: find_slots(text, today=TODAY),
            },
            texts,
            rounds=3,
        ),
        "read_by_tokens": by_length,
    }


def session_options(model: Model, texts: Sequence[str]) -> dict[str, Any]:
    """The graph on one thread under one changed option each; `ratio` is against `as_shipped`."""
    levels = ort.GraphOptimizationLevel
    sessions = {
        "as_shipped": model.session(),
        "no_arena": model.session(enable_cpu_mem_arena=False),
        "no_memory_pattern": model.session(enable_mem_pattern=False),
        "no_arena_no_pattern": model.session(enable_cpu_mem_arena=False, enable_mem_pattern=False),
        "no_optimisation": model.session(graph_optimization_level=levels.ORT_DISABLE_ALL),
        "basic_optimisation": model.session(graph_optimization_level=levels.ORT_ENABLE_BASIC),
        "extended_optimisation": model.session(graph_optimization_level=levels.ORT_ENABLE_EXTENDED),
        "with_layer_norm_fusion": model.session(without=()),
        "no_prepacking": model.session(config={"session.disable_prepacking": "1"}),
        "denormals_as_zero": model.session(config={"session.set_denormal_as_zero": "1"}),
        "as_shipped_again": model.session(),
    }
    rows = [[model.ids(text)] for text in texts]
    return interleaved(sessions, rows)


def session_threads(model: Model, texts: Sequence[str]) -> dict[str, Any]:
    """One text after the other, by sessions with several threads of their own."""
    spin = "session.intra_op.allow_spinning"
    parallel = {"execution_mode": ort.ExecutionMode.ORT_PARALLEL, "inter_op_num_threads": 2}
    sessions = {
        "one": model.session(),
        "two_spinning": model.session(intra_op_num_threads=2),
        "two_sleeping": model.session(intra_op_num_threads=2, config={spin: "0"}),
        "two_between_nodes": model.session(**parallel, config={"session.inter_op.allow_spinning": "0"}),
    }
    rows = [[model.ids(text)] for text in texts[:BLOCK_TEXTS]]

    def block(run: Callable[[list[list[int]]], Outputs]) -> int:
        for row in rows:
            run(row)
        return len(rows)

    return in_blocks({name: partial(block, run) for name, run in sessions.items()}, BLOCKS)


def batches(model: Model, texts: Sequence[str]) -> dict[str, Any]:
    """Texts of equal length in one run: the time of a text, and how far its answer moves from that alone.

    `logit_moved_max` is in units of the logits; `intent_changed` is the share of texts whose likeliest label changes.
    Batches take what has as many tokens, as a server would that never pads.
    """
    by_length: dict[int, list[list[int]]] = defaultdict(list)
    for text in texts[: 4 * BATCH_TEXTS]:
        ids = model.ids(text)
        by_length[len(ids)].append(ids)
    whole = [rows[at : at + BATCHES[-1]] for rows in by_length.values() for at in range(0, len(rows), BATCHES[-1])]
    whole = [rows for rows in whole if len(rows) == BATCHES[-1]][: BATCH_TEXTS // BATCHES[-1] // 4]

    def run(size: int, rows: list[list[int]]) -> list[Outputs]:
        return [model.run(rows[at : at + size]) for at in range(0, len(rows), size)]

    ways = {f"of_{size}": partial(run, size) for size in BATCHES}
    figures: dict[str, Any] = interleaved(ways, whole)
    alone = np.concatenate([np.concatenate([one[0] for one in run(1, rows)]) for rows in whole])
    for size in BATCHES:
        together = np.concatenate([np.concatenate([one[0] for one in run(size, rows)]) for rows in whole])
        figures[f"of_{size}"] |= {
            "texts_per_cpu_s": round(1000 * BATCHES[-1] / figures[f"of_{size}"]["cpu_p50_ms"], 1),
            "logit_moved_max": round(float(np.abs(together - alone).max()), 4),
            "logit_moved_mean": round(float(np.abs(together - alone).mean()), 4),
            "intent_changed": round(float((together.argmax(axis=1) != alone.argmax(axis=1)).mean()), 4),
        }
    return {"texts": len(alone), "rows_a_call": BATCHES[-1], **figures}


def cache(model: Model, texts: Sequence[str]) -> dict[str, Any]:
    """The graph alone, asked through the cache for what is not there, and for what is."""
    ids: list[Seen] = [(tuple(found), ()) for text in texts if len(found := model.ids(text)) <= MAX_CACHED_TOKENS]
    empty: RunCache[Outputs] = RunCache(max_runs=0)
    full: RunCache[Outputs] = RunCache()

    def run(seen: Seen) -> Outputs:
        return model.run([list(seen[0])])

    for one in ids:
        full.run(one, run)
    ways = {"model": run, "miss": lambda one: empty.run(one, run), "hit": lambda one: full.run(one, run)}
    return {"short_enough": round(len(ids) / len(texts), 4), **interleaved(ways, ids)}


def read_threads(texts: Sequence[str]) -> dict[str, Any]:
    """Whole texts a second by `Reader.read` on as many threads."""
    reader = Reader.open()
    some = texts[:BLOCK_TEXTS]

    def block(threads: int) -> int:
        with ThreadPoolExecutor(threads) as pool:
            return sum(1 for _ in pool.map(reader.read, some))

    return in_blocks({str(threads): partial(block, threads) for threads in THREADS}, BLOCKS)


def server_load(texts: Sequence[str]) -> dict[str, Any]:
    """CLIENTS that each wait for their answer and send again, by how many texts may be read at once.

    `loop_late_ms` is by how much a timer of TICK_S on the event loop comes late; `on_loop` reads on the loop itself.
    """
    reader = Reader.open()
    found: dict[str, Any] = {"clients": CLIENTS, "on_loop": asyncio.run(_load(None, reader, texts))}
    for running in THREADS:
        service = ReadingService(reader, max_running=running)
        service.warm_up()
        found[f"running_{running}"] = asyncio.run(_load(service, reader, texts))
    return found


async def _load(service: ReadingService | None, reader: Reader, texts: Sequence[str]) -> dict[str, Any]:
    waiting = [texts[at % len(texts)] for at in range(LOAD_TEXTS)]
    taken: list[float] = []
    late: list[float] = []

    async def client() -> None:
        while waiting:
            text = waiting.pop()
            start = time.perf_counter()
            if service is None:
                reader.read(text)
                await asyncio.sleep(0)
            else:
                await service.read(text)
            taken.append((time.perf_counter() - start) * 1000)

    async def ticker() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(TICK_S)
            late.append((time.perf_counter() - start - TICK_S) * 1000)

    ticking = asyncio.create_task(ticker())
    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    total = time.perf_counter() - start
    ticking.cancel()
    return {"texts_per_s": round(LOAD_TEXTS / total, 1), "answer": percentiles(taken), "loop_late": percentiles(late)}


def new_process() -> dict[str, Any]:
    """The first texts of a new process, without and after a warm-up, and its memory: medians of NEW_PROCESSES."""
    found: dict[str, Any] = {"processes": NEW_PROCESSES}
    context = multiprocessing.get_context("spawn")
    for name, warm in (("cold", False), ("warm", True)):
        runs = []
        for _ in range(NEW_PROCESSES):
            with context.Pool(1) as pool:
                runs.append(pool.apply(_first_reads, (warm,)))
        found[name] = {key: round(float(np.median([run[key] for run in runs])), 3) for key in runs[0]}
    return found


def _first_reads(warm: bool) -> dict[str, float]:  # noqa: FBT001 - a process is handed positions
    start = time.perf_counter()
    service = ReadingService(Reader.open())
    opened = time.perf_counter()
    warmed = service.warm_up() if warm else 0.0
    memory = resident_mib(os.getpid()) or 0.0
    taken = []
    for text in (
        "Can you send 20 euros to my brother Tom tomorrow?",
        "Why was my card declined at the petrol station?",
    ):
        before, used = time.perf_counter(), time.thread_time()
        service.reader.read(text)
        taken.append(((time.perf_counter() - before) * 1000, (time.thread_time() - used) * 1000))
    return {
        "open_ms": (opened - start) * 1000,
        "warm_up_ms": warmed,
        "first_text_ms": taken[0][0],
        "first_text_cpu_ms": taken[0][1],
        "second_text_ms": taken[1][0],
        "second_text_cpu_ms": taken[1][1],
        "resident_mib": memory,
    }


def _spread(values: Sequence[int]) -> dict[str, int]:
    return {name: int(np.percentile(values, share)) for name, share in (("p50", 50), ("p99", 99), ("max", 100))}
