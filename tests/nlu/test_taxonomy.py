from __future__ import annotations

from collections import Counter

from llm_banking.nlu.taxonomy import (
    BY_NAME,
    CLINC_TO_INTENT,
    CONVERSATIONAL,
    INTENTS,
    LABELS,
    OPERATIONAL_INTENTS,
    OUT_OF_SCOPE,
    SUPPORT_INTENTS,
    Category,
    Layer,
)

SUPPORT_SUMS = {
    Category.ACCOUNT_MANAGEMENT: 10,
    Category.TRANSFER_PAYMENTS: 18,
    Category.INQUIRIES: 12,
    Category.CARD_SERVICES: 27,
    Category.FRAUD_SECURITY: 6,
    Category.CUSTOMER_SERVICE: 4,
}
OPERATIONAL_SUMS = {
    Category.ACCOUNT_MANAGEMENT: 10,
    Category.TRANSFER_PAYMENTS: 7,
    Category.INQUIRIES: 5,
    Category.LOANS_CREDIT: 11,
    Category.CARD_SERVICES: 3,
    Category.FRAUD_SECURITY: 3,
    Category.CUSTOMER_SERVICE: 8,
}


def test_there_are_exactly_77_support_intents() -> None:
    assert len(SUPPORT_INTENTS) == len(set(SUPPORT_INTENTS)) == 77


def test_banking77_spellings_are_kept_to_the_letter() -> None:
    assert {"Refund_not_showing_up", "reverted_card_payment?", "why_verify_identity"} <= set(SUPPORT_INTENTS)


def test_the_category_sums_are_the_documented_ones() -> None:
    assert Counter(one.category for one in INTENTS if one.layer is Layer.SUPPORT) == SUPPORT_SUMS
    assert Counter(one.category for one in INTENTS if one.layer is Layer.OPERATIONAL) == OPERATIONAL_SUMS
    assert sum(SUPPORT_SUMS.values()) == 77
    assert sum(OPERATIONAL_SUMS.values()) == 47


def test_there_are_seven_categories_and_none_is_empty() -> None:
    assert len(Category) == 7
    assert {one.category for one in INTENTS} == set(Category)


def test_every_intent_is_named_once_across_both_layers() -> None:
    assert len(BY_NAME) == len(INTENTS) == len(SUPPORT_INTENTS) + len(OPERATIONAL_INTENTS)
    assert all(BY_NAME[name].layer is Layer.OPERATIONAL for name in OPERATIONAL_INTENTS)


def test_labels_are_support_then_operational_then_the_reject_label() -> None:
    assert LABELS[:77] == SUPPORT_INTENTS
    assert LABELS[77:-1] == OPERATIONAL_INTENTS
    assert LABELS[-1] == OUT_OF_SCOPE
    assert OUT_OF_SCOPE not in BY_NAME
    assert len(set(LABELS)) == len(LABELS) == 125


def test_label_order_is_sorted_within_a_layer_so_that_it_never_drifts() -> None:
    assert list(SUPPORT_INTENTS) == sorted(SUPPORT_INTENTS)
    assert list(OPERATIONAL_INTENTS) == sorted(OPERATIONAL_INTENTS)


def test_every_clinc_class_maps_to_an_intent_we_have() -> None:
    assert set(CLINC_TO_INTENT.values()) <= set(BY_NAME)


def test_conversational_intents_are_operational() -> None:
    assert set(OPERATIONAL_INTENTS) >= CONVERSATIONAL
    assert {BY_NAME[name].category for name in CONVERSATIONAL} == {Category.CUSTOMER_SERVICE}
