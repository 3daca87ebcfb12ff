"""Reading whole files of texts."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.progress import track

from llm_banking.nlu.evaluation import RowsInvalidError, json_row
from llm_banking.nlu.reader import Reader, TextInvalidError


def predict_file(reader: Reader, source: Path, target: Path) -> int:
    """Write one reading a line for each JSONL line with a `text`; other keys are carried over. Returns the lines.

    `target` appears only when all lines are done. Raises RowsInvalidError naming the line.
    """
    if not source.is_file():
        raise RowsInvalidError(f"{source} is not a file. Name a JSONL file whose lines have a `text`.")
    with source.open(encoding="utf-8") as stream:
        rows = [json_row(source, number, line) for number, line in enumerate(stream, start=1)]
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("text"), str):
            raise RowsInvalidError(f"{source}: line {number} has no text.")
    try:
        readings = reader.read_many([row["text"] for row in rows])
        unfinished = target.with_name(f"{target.name}.part")
        with unfinished.open("w", encoding="utf-8") as stream:
            pairs = zip(rows, readings, strict=False)
            for row, reading in track(pairs, "reading", total=len(rows), console=Console(stderr=True)):
                stream.write(json.dumps({**row, **reading.as_dict()}, ensure_ascii=False) + "\n")
        unfinished.replace(target)
    except TextInvalidError as error:
        raise RowsInvalidError(f"{source}: {error.message}") from None
    return len(rows)
