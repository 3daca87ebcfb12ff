"""What the documents say of limits, times and ways in is what the code does."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise

import pytest
from fastapi import FastAPI

from llm_banking.api.dependencies import policy, policy_of, router
from llm_banking.identity.passwords import MAX_LENGTH, MIN_LENGTH, MIN_LENGTH_WITH_SECOND_FACTOR, PRODUCT_WORDS
from llm_banking.identity.principal import PUBLIC
from llm_banking.identity.refresh import MAX_LIVE_FAMILIES
from llm_banking.identity.revocations import POLL_S
from llm_banking.identity.second_factors import ENROLMENT_LIFETIME
from llm_banking.identity.step_up import (
    BEGIN_WINDOW,
    LIFETIME,
    MAX_BEGUN,
    MAX_FAILURES,
    MAX_USER_FAILURES,
    USER_WINDOW,
    Method,
)
from llm_banking.identity.throttle import ALL_PLACES, ONE_PLACE, Bound
from llm_banking.identity.totp import DIGITS, STEP_S, WINDOW_STEPS
from llm_banking.identity.webauthn_login import MAX_PASSKEYS
from llm_banking.settings import (
    ACCESS_TOKEN_LIFETIME_S,
    SESSION_IDLE_S,
    SESSION_LIFETIME_S,
    RateLimits,
    Settings,
)
from tests.api.test_policies import api_routes
from tests.security.asvs_map import DOCUMENT, ROOT

TEXT = DOCUMENT.read_text(encoding="utf-8")
SETTINGS_PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def told(duration: timedelta | float) -> str:
    """A time in the largest unit that it is a whole number of."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if seconds != int(seconds):
        return f"{seconds:g} seconds"
    size, unit = next(one for one in _UNITS if seconds % one[0] == 0)
    number = int(seconds) // size
    return f"{number} {unit}{'s' if number != 1 else ''}"


def default(setting: str) -> int:
    value: int = Settings.model_fields[setting].default
    return value


def by_profile(values: dict[str, int]) -> str:
    return f"{told(values['default'])}; profile `bank`: {told(values['bank'])}"


def guesses(bound: Bound) -> str:
    return (
        f"a wait after {bound.free} failures: 1 second, doubled by each further one, at most {told(bound.longest_s)}; "
        f"forgotten after {told(bound.quiet)}"
    )


EXPECTED = {
    "Sessions": {
        "an access token is good for": by_profile({str(name): s for name, s in ACCESS_TOKEN_LIFETIME_S.items()}),
        "a session ends after": by_profile({str(name): s for name, s in SESSION_LIFETIME_S.items()}),
        "a session ends without a refresh for": by_profile({str(name): s for name, s in SESSION_IDLE_S.items()}),
        "sessions of one person": f"{MAX_LIVE_FAMILIES}; a further one ends the oldest",
        "a refresh token may be sent again for": f"{told(default('refresh_grace_s'))}, by the same device",
        "what was taken back is read every": told(POLL_S),
        "tokens are refused where that failed for": told(default("revocations_stale_s")),
    },
    "Limits of an account": {
        "API keys that work": str(default("api_keys_per_user")),
        "an API key lives at most": f"{default('api_key_max_lifetime_days')} days",
        "passkeys": str(MAX_PASSKEYS),
        "a challenge is good for": f"{told(LIFETIME)}, once",
        "failures of one challenge": str(MAX_FAILURES),
        "failures of all challenges of a person": f"{MAX_USER_FAILURES} in {told(USER_WINDOW)}",
        "challenges begun by a person": f"{MAX_BEGUN} in {told(BEGIN_WINDOW)}",
        "a factor must be confirmed within": told(ENROLMENT_LIFETIME),
    },
    "Passwords": {
        "at least": f"{MIN_LENGTH} characters; {MIN_LENGTH_WITH_SECOND_FACTOR} beside a second factor",
        "at most": f"{MAX_LENGTH} characters",
        "words of the product that are no password": ", ".join(PRODUCT_WORDS),
    },
    "Guessing": {
        "one name from one place": guesses(ONE_PLACE),
        "one name from all places that it never signed in from": guesses(ALL_PLACES),
        "sign-ins and registrations from one address": f"{RateLimits().sign_in.requests} in "
        f"{told(RateLimits().sign_in.window_s)}",
        "sign-ins and registrations under one name": f"{RateLimits().sign_in_name.requests} in "
        f"{told(RateLimits().sign_in_name.window_s)}",
    },
    "Second factors": {
        "kinds": ", ".join(sorted(Method)),
        "a code of an authenticator app": f"{DIGITS} digits for {told(STEP_S)}, and {WINDOW_STEPS} step to either side",
    },
}


def table_below(text: str, heading: str) -> dict[str, str]:
    """The first table of two columns below a heading, without its head."""
    section = text.partition(f"\n### {heading}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    return dict(rows[1:])


@pytest.mark.parametrize("heading", EXPECTED)
def test_what_is_written_down_is_the_codes(heading: str) -> None:
    assert table_below(TEXT, heading) == EXPECTED[heading]


def test_the_waits_that_are_written_down_are_the_codes() -> None:
    """The first wait is a second and each is twice the last, as the table says of every bound."""
    for bound in (ONE_PLACE, ALL_PLACES):
        waits = [bound.wait_s(bound.free - 1 + failures) for failures in range(40)]
        assert waits[:3] == [0, 1, 2]
        assert all(later == min(2 * before, bound.longest_s) for before, later in pairwise(waits[1:]))


def test_the_second_factors_are_those_that_are_written_down() -> None:
    assert table_below(TEXT, "Second factors")["kinds"] == "totp, webauthn"
    assert {one.value for one in Method} == {"totp", "webauthn"}


def limits_of(text: str) -> dict[str, int]:
    """The defaults in the table of rate limits."""
    section = text.partition("\n## Rate limits\n")[2].partition("\n## ")[0]
    return {
        name: int(number) for name, number in re.findall(r"^\| `(\w+)` \| [^|]+ \| (\d+) \|", section, re.MULTILINE)
    }


def test_the_rate_limits_of_the_settings_page_are_the_codes() -> None:
    limits = RateLimits()
    names = set(RateLimits.model_fields) - {"tiers"}
    assert limits_of(SETTINGS_PAGE) == {name: getattr(limits, name).requests for name in names}
    assert {getattr(limits, name).window_s for name in names} == {60}
    assert "default, per 60 s" in SETTINGS_PAGE


def ways_in(app: FastAPI) -> set[str]:
    """The routes of the API that anyone may call."""
    found = [route for route in api_routes(app) if policy_of(route.endpoint).permission is None]
    return {route.path for route in found if route.path.startswith(("/api/", "/.well-known/"))}


def test_every_way_in_is_written_down(app: FastAPI) -> None:
    assert {name.strip("`") for name in table_below(TEXT, "Ways in")} == ways_in(app)


def test_the_check_sees_a_way_in_that_is_not_written_down() -> None:
    planted, room = FastAPI(), router("/api/auth", "planted")

    @room.post("/magic-link")
    @policy(PUBLIC)
    async def magic_link() -> None: ...

    planted.include_router(room)
    assert ways_in(planted) == {"/api/auth/magic-link"}
