"""Every table of the product, gathered in one place."""

from __future__ import annotations

from sqlalchemy import MetaData

from llm_banking.banking import models as banking_models
from llm_banking.dialogue import models as dialogue_models
from llm_banking.identity import models as identity_models
from llm_banking.kit import idempotency, outbox
from llm_banking.kit.database import Base
from llm_banking.operations import models as operations_models

ROOMS = (identity_models, banking_models, operations_models, dialogue_models, idempotency, outbox)


def product_metadata() -> MetaData:
    """The tables that the code expects."""
    return Base.metadata
