"""What the assistant understands, and who the demo customers are."""

from __future__ import annotations

from fastapi import Request

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, metadata_of
from llm_banking.identity.demo import CUSTOMERS
from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.principal import Permission, requires
from llm_banking.nlu.taxonomy import INTENTS, Category, Layer

routes = router("/api/v2", "catalogue")


class IntentBody(Model):
    """An intent, with a sentence that means it."""

    name: str
    layer: Layer
    category: Category
    title: str
    example: str


class IntentList(Model):
    """Every intent: the support layer first, then the operational one."""

    items: list[IntentBody]


class DemoCustomerBody(Model):
    """A customer that the demo principal may name as `user_id`."""

    id: str
    name: str
    account_type: str


class DemoBody(Model):
    """The seeded demo customers."""

    customers: list[DemoCustomerBody]


@routes.get("/intents")
@policy(requires(Permission.CHAT_READ))
async def list_intents(request: Request, services: ServicesDep) -> Envelope[IntentList]:
    """All intents of the model."""
    items = [
        IntentBody(
            name=one.name,
            layer=one.layer,
            category=one.category,
            title=services.knowledge.entry(one.name).title,
            example=services.knowledge.entry(one.name).ask,
        )
        for one in INTENTS
    ]
    return Envelope(data=IntentList(items=items), metadata=metadata_of(request))


@routes.get("/demo")
@policy(requires(Permission.CHAT_READ))
async def demo(request: Request, caller: CallerDep) -> Envelope[DemoBody]:
    """The demo customers, for the demo principal only."""
    if not caller.is_demo:
        raise ForbiddenError("This server is not in demo mode.")
    customers = [
        DemoCustomerBody(id=one.customer_number, name=one.name, account_type=one.account_type) for one in CUSTOMERS
    ]
    return Envelope(data=DemoBody(customers=customers), metadata=metadata_of(request))
