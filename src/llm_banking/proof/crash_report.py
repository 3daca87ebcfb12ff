"""What docs/06 takes from the figures of `llm-banking proof crashes`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_banking.proof.crashes import RESULTS_FILE, UNSAFE_RESULTS_FILE
from llm_banking.proof.markdown import NOTHING, table
from llm_banking.proof.report import ReportError, filled


def crash_parts(document: Mapping[str, Any], unsafe: Mapping[str, Any]) -> dict[str, str]:
    """The table of victims, what became of the operations, and what the unsafe run lost."""
    rows = [
        [f"{one['victim']}", str(one["kills"]), *_spread(one["first_s"]), *_spread(one["everybody_s"])]
        for one in document["victims"]
    ]
    head = ["killed", "times", "median s", "at most s", "everybody: median s", "at most s"]
    return {
        "crashes": "\n\n".join(
            [table(head, rows, right=1), _outcome(document), _in_time(document), _unsafe(unsafe), _measured(document)]
        )
    }


def _spread(found: Mapping[str, float] | None) -> list[str]:
    return [NOTHING, NOTHING] if found is None else [f"{found['median']:.2f}", f"{found['max']:.2f}"]


def _outcome(document: Mapping[str, Any]) -> str:
    done, faults, requests = document["operations"], document["faults"], document["requests"]
    cut = requests.get("no answer", 0) + requests.get("hung up on", 0)
    return (
        f"{document['kills']} kills under {document['clients']} clients: of {done['acknowledged']:,} acknowledged "
        f"operations {faults['lost']} were lost, {faults['twice']} were done twice and {faults['altered']} were not as "
        f"acknowledged; {faults['unasked']} were done that nobody confirmed; {faults['ledger']} balances or rules of "
        f"the ledger did not hold; news of {faults['news']} was not there once. {cut:,} requests ended without an "
        f"answer and were sent again under their key; {requests.get('repeated', 0):,} that had been answered were "
        f"repeated; {len(document['problems'])} were answered otherwise than before, or with an error that stays."
        f"{_planned(document)}"
    )


def _planned(document: Mapping[str, Any]) -> str:
    """Of figures with planned payments among the operations, what the workers made of those."""
    if "due_when_killed" not in document:
        return ""
    due = document["due_when_killed"]
    return (
        f" {document['operations']['planned']:,} of the operations were planned payments, which {document['workers']} "
        f"workers at once made when they were due; {due['median']:g} (median; {due['max']} at most) waited when "
        f"something was killed, and two or more at {due['several']} of the kills."
    )


def _in_time(document: Mapping[str, Any]) -> str:
    longest, aim = document["recovery_max_s"], document["recovery_aim_s"]
    kept = "kept" if longest <= aim else "missed"
    return f"The longest time to the first acknowledgement was {longest:.2f} s; the aim of {aim:.0f} s was {kept}."


def _unsafe(unsafe: Mapping[str, Any]) -> str:
    return (
        f"With `synchronous_commit = {unsafe['durability']['synchronous_commit']}` the same look finds "
        f"{unsafe['faults']['lost']} acknowledged operations lost after {unsafe['kills']} kills."
    )


def _measured(document: Mapping[str, Any]) -> str:
    machine = document["machine"]
    return (
        f"Measured {document['measured'][:10]} on {machine['cores']} cores of {machine['cpu']}, which clients and "
        f"servers share (load before the start {machine['load_before']}), by `llm-banking proof crashes`, in "
        f"{document['seconds']:.0f} s."
    )


def write_crashes(results: Path, target: Path) -> None:
    """Render the figures into the document. Raises ReportError."""
    sources = [results / RESULTS_FILE, results / UNSAFE_RESULTS_FILE]
    for one in sources:
        if not one.is_file():
            raise ReportError(f"{one} is not there. Run `llm-banking proof crashes`, and again with --unsafe.")
    durable, unsafe = (json.loads(one.read_text(encoding="utf-8")) for one in sources)
    target.write_text(filled(target.read_text(encoding="utf-8"), crash_parts(durable, unsafe)), encoding="utf-8")
