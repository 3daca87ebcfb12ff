"""`python -m llm_banking.cli`."""

from __future__ import annotations

from llm_banking.cli import main

main()
