"""Every table of the product, gathered in one place."""

from __future__ import annotations

from sqlalchemy import MetaData

from llm_banking.banking import models as banking_models
from llm_banking.dialogue import models as dialogue_models
from llm_banking.identity import models as identity_models
from llm_banking.kit.database import Base

ROOMS = (identity_models, banking_models, dialogue_models)


def product_metadata() -> MetaData:
    """The tables that the code expects."""
    return Base.metadata
