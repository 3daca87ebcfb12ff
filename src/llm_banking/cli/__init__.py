"""`llm-banking`: thin commands, one function each. Heavy imports wait until a command needs them."""

from __future__ import annotations

from llm_banking.cli import doctor, documents, people, proofs, serving, training, understanding
from llm_banking.cli.shared import app, fail
from llm_banking.kit.errors import LlmBankingError

__all__ = ["app", "doctor", "documents", "main", "people", "proofs", "serving", "training", "understanding"]


def main() -> None:
    """Run a command. A problem that the caller can act on is one line on standard error and exit code 1."""
    try:
        app()
    except LlmBankingError as error:
        fail(error.message)
