"""A tiny data folder in the shape of the real one; every row is written for these tests."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

BANKING77: dict[str, list[str]] = {
    "card_arrival": [
        "has my new plastic been posted yet",
        "still no card in the mailbox",
        "tracking for the debit card I ordered",
        "ten days and the card is not here",
        "Where, exactly,\nis the card you sent?",
        "the postman brought no card again",
    ],
    "change_pin": [
        "pick a different four digit code",
        "set another pin on my debit card",
        "can I choose a new pin at a machine",
        "I dislike my pin and want another",
        "new code for my card please",
        "where do I alter the pin",
    ],
    "exchange_rate": [
        "how many euros for a dollar today",
        "rate for pounds",
        "what conversion figure do you use",
        "is the yen rate live",
        "dollar to peso number",
        "which rate applies on weekends",
    ],
    "atm_support": [
        "which cash machines take my card",
        "cash machines near the harbour",
        "can I withdraw at any machine",
        "is the airport cash machine fine",
        "list of machines without a fee",
        "do corner shop machines work",
    ],
    "request_refund": [
        "I want my money back for shoes",
        "return the payment to the toy shop",
        "undo what I paid the florist",
        "get a refund from the seller",
        "the shop owes me a refund",
        "help me get the price back",
    ],
    "pin_blocked": [
        "typed the code wrong too often",
        "my pin is locked now",
        "unlock the code on my card",
        "code blocked at the till",
        "too many attempts and it is stuck",
        "pin no longer accepted after tries",
    ],
}
CONTRADICTED = "the same words under two labels"

CLINC: list[tuple[str, str, str]] = [
    *((f"{how} money is left in my account", "balance", "banking") for how in ("how much", "what", "say what")),
    *((f"{how} the number for wires to my bank", "routing", "banking") for how in ("give me", "read out", "what is")),
    *((f"{how} kind robot", "thank_you", "small_talk") for how in ("thanks", "many thanks", "cheers")),
    ("still no card in the MAILBOX!", "report_lost_card", "credit_cards"),
    ("my card was taken from my bag", "report_lost_card", "credit_cards"),
    ("my card fell into the river", "report_lost_card", "credit_cards"),
    *((f"set up my wages for account number {n}", "direct_deposit", "work") for n in range(3)),
    *((f"{n} dollars in my money abroad", "exchange_rate", "travel") for n in range(3)),
    *((f"please say that again {n}", "repeat", "small_talk") for n in range(3)),
    *((f"is a cake with {n} eggs any good", "recipe", "kitchen_and_dining") for n in range(12)),
    *((f"does my car need {n} new tires", "tire_change", "auto_and_commute") for n in range(12)),
    *((f"find {n} seats on a plane to Rome", "book_flight", "travel") for n in range(8)),
    *((f"how deep is ocean number {n}", "oos", "oos") for n in range(8)),
]
"""Mapped classes, two never rejected, two ordinary strange domains, and the two that stay unseen."""


def write_banking77(path: Path, rows: list[tuple[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "category"])
        writer.writerows(rows)


def write_clinc(path: Path, rows: list[tuple[str, str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        for text, intent, domain in rows:
            stream.write(json.dumps({"split": "train", "text": text, "intent": intent, "domain": domain}) + "\n")


def write_span_sets(folder: Path) -> None:
    """The four sets that mark slots and personal data, nine rows each and one held out."""
    person = {"start": 4, "end": 7, "type": "PERSON", "text": "ana"}
    slot = {"slot": "recipient_account_name", "start": 4, "end": 7, "text": "ana"}
    files: dict[str, list[dict[str, Any]]] = {
        "nlupp/banking_folds0-9.jsonl": [
            {"fold": 0, "text": "pay ana", "slots": {"person_name": {"span": [4, 7], "value": "ana"}}},
            {"fold": 9, "text": "a held row", "slots": {}},
        ],
        "sgd_banks/user_turns_train.jsonl": [
            {"dialogue_id": f"d{at}", "text": "pay ana", "spans": [slot]} for at in range(9)
        ],
        "multidogo_finance/pii_spans_train.jsonl.gz": [
            {"id": f"c{at}-1.0", "text": "pay ana", "spans": [person | {"type": "PERSON_NAME"}]} for at in range(9)
        ],
        "presidio_research/generated_large.jsonl": [
            {"template_id": at, "text": "pay ana", "spans": [person]} for at in range(9)
        ],
    }
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir()
        lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with six Banking77 labels and a few CLINC150 classes. Do not change it: it is shared."""
    folder = tmp_path_factory.mktemp("data")
    rows = [(text, label) for label, texts in BANKING77.items() for text in texts]
    rows += [("Rate for POUNDS?", "exchange_rate"), (CONTRADICTED, "pin_blocked"), (CONTRADICTED.upper(), "change_pin")]
    write_banking77(folder / "banking77" / "train.csv", rows)
    write_clinc(folder / "clinc150" / "train.jsonl.gz", CLINC)
    write_span_sets(folder)
    return folder
