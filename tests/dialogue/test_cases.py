"""Where disputes and applications stand, for every status that there is."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from llm_banking.banking.disputes import DisputeStatus
from llm_banking.banking.loans import LoanStatus
from llm_banking.banking.models import Dispute, LoanApplication
from llm_banking.dialogue.cases import MOST, applications_told, disputes_told

DAY = datetime(2026, 3, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize("status", DisputeStatus)
def test_every_status_of_a_dispute_is_told(status: DisputeStatus) -> None:
    row = Dispute(
        id=UUID(int=1), status=status.value, amount_minor=450, currency="USD", description="Noodles", created_at=DAY
    )
    (found,) = disputes_told([row])
    assert found.text.startswith("Your dispute of $4.50 by Noodles, opened on 9 March 2026: ")
    assert ("provisional credit of $4.50" in found.text) is (status is DisputeStatus.PROVISIONAL_CREDIT)
    assert "{" not in found.text
    assert len(disputes_told([row] * (MOST + 1))) == MOST


@pytest.mark.parametrize(
    ("status", "stands"),
    [
        ("received", "taken it up"),
        ("under_review", "looking at it"),
        ("approved", "approved"),
        ("declined", "declined"),
    ],
)
def test_every_status_of_an_application_is_told(status: str, stands: str) -> None:
    row = LoanApplication(
        id=UUID(int=1), status=LoanStatus(status).value, amount_minor=500_000, currency="USD", months=24, created_at=DAY
    )
    (found,) = applications_told([row])
    assert found.text.startswith("Your application for a loan of $5,000.00 over 24 months, sent in on 9 March 2026: ")
    assert stands in found.text
