"""Every route x every kind of caller x own and foreign things, against a database in which everybody has something."""

from __future__ import annotations

import pytest

from llm_banking.api.dependencies import policy_of
from tests.security.matrix import (
    foreign_things,
    own_things,
    planned,
    route_of,
    undeclared,
    unnamed_ids,
    who_may_not,
)
from tests.security.recipes import RECIPES
from tests.security.stage import Stage

ROUTES = sorted(RECIPES)
WITH_IDS = [name for name in ROUTES if RECIPES[name].ids]


def walls(stage: Stage, name: str) -> tuple[bool, ...]:
    """With row-level security and, where it matters who calls, without: then only the repositories' filters stand."""
    return (True,) if policy_of(route_of(stage.app, name).endpoint).permission is None else (True, False)


def test_no_route_is_undeclared(stage: Stage) -> None:
    assert undeclared(stage.app) == []


def test_no_id_in_a_request_is_unnamed(stage: Stage) -> None:
    assert unnamed_ids(stage.app) == []


@pytest.mark.parametrize("name", ROUTES)
async def test_who_may_not_call_is_refused_and_nothing_is_read_or_written(stage: Stage, name: str) -> None:
    found = await who_may_not(stage, name)
    assert found.problems == []
    assert found.checks == planned(stage.app, name)["refused"]


@pytest.mark.parametrize("name", ROUTES)
async def test_who_may_call_is_answered_about_what_is_theirs(stage: Stage, name: str) -> None:
    for up in walls(stage, name):
        async with stage.walls(up=up):
            found = await own_things(stage, name)
        assert found.problems == [], f"with row-level security: {up}"
        assert found.checks == planned(stage.app, name)["own"]


@pytest.mark.parametrize("name", WITH_IDS)
async def test_what_is_not_theirs_is_as_if_it_were_not_there(stage: Stage, name: str) -> None:
    for up in walls(stage, name):
        async with stage.walls(up=up):
            found = await foreign_things(stage, name)
        assert found.problems == [], f"with row-level security: {up}"
        assert found.checks == planned(stage.app, name)["foreign"]
