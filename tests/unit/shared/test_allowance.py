"""What an owner may have, as the settings say it."""

import pytest

from shared import limits
from shared.gateway_settings import Allowance, GatewaySettings

DEFAULTS = Allowance(
    limits.DEFAULT_JOBS_IN_FLIGHT,
    limits.DEFAULT_CREATES_PER_MINUTE,
    limits.DEFAULT_CALLBACKS_WAITING,
    limits.DEFAULT_STREAMS,
)


@pytest.mark.parametrize(("auth", "allowance"), [("none", Allowance()), ("keys", DEFAULTS), ("jwt", DEFAULTS)])
def test_what_is_not_set_is_bounded_where_callers_say_who_they_are(auth: str, allowance: Allowance) -> None:
    assert GatewaySettings(auth=auth).allowance == allowance  # type: ignore[arg-type]  # one of the literals


@pytest.mark.parametrize("auth", ["none", "keys"])
def test_what_is_set_is_taken_whoever_calls_and_0_is_no_bound(auth: str) -> None:
    settings = GatewaySettings(
        auth=auth,  # type: ignore[arg-type]  # one of the literals
        owner_jobs_in_flight=0,
        owner_creates_per_minute=7,
        owner_callbacks_waiting=5,
        owner_streams=3,
    )

    assert settings.allowance == Allowance(None, 7, 5, 3)
