"""Reading whole files of texts."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from llm_banking.nlu.evaluation import RowsInvalidError, json_rows
from llm_banking.nlu.reader import Reader, TextInvalidError


def predict_file(reader: Reader, source: Path, target: Path) -> int:
    """Write one reading a line for each JSONL line with a `text`; other keys are carried over. Returns the lines.

    `target` appears only when all lines are done. Raises RowsInvalidError naming the line.
    """
    if source.is_dir() or not source.exists():
        raise RowsInvalidError(f"{source} is not a file. Name a JSONL file whose lines have a `text`.")
    rows = [row for _, row in json_rows(source)]
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("text"), str):
            raise RowsInvalidError(f"{source}: line {number} has no text.")
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=len(rows))
        try:
            readings = reader.read_many([row["text"] for row in rows], lambda done: bar.advance(task, done))
        except TextInvalidError as error:
            raise RowsInvalidError(f"{source}: {error.message}") from None
    lines = [json.dumps({**row, **one.as_dict()}, ensure_ascii=False) for row, one in zip(rows, readings, strict=True)]
    for number, line in enumerate(lines, start=1):
        try:
            line.encode("utf-8")
        except UnicodeEncodeError:
            raise RowsInvalidError(f"{source}: line {number} holds half of a surrogate pair.") from None
    unfinished = target.with_name(f"{target.name}.part")
    unfinished.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    unfinished.replace(target)
    return len(rows)
