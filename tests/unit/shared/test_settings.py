"""Settings: all problems at once, each with its variable and an example."""

import pytest

from shared.errors import SettingsError
from shared.settings import GatewaySettings, ProcessorSettings, load


def test_defaults_run_on_one_machine() -> None:
    settings = load(GatewaySettings, {})

    assert (settings.host, settings.port, settings.partitions) == ("127.0.0.1", 8080, 1)


def test_variables_are_read() -> None:
    settings = load(ProcessorSettings, {"REDIS_URL": "redis://h:1/0", "WAYBILL_SLOTS": "7", "WAYBILL_LEASE_MS": ""})

    assert (settings.redis_url, settings.slots, settings.lease_ms) == ("redis://h:1/0", 7, 15_000)


def test_every_wrong_variable_is_named_with_an_example() -> None:
    with pytest.raises(SettingsError) as caught:
        load(GatewaySettings, {"WAYBILL_PORT": "eighty", "REDIS_URL": "http://x", "WAYBILL_PARTITIONS": "0"})

    assert len(caught.value.problems) == 3
    assert any("WAYBILL_PORT='eighty'" in problem and "Example:" in problem for problem in caught.value.problems)


def test_redis_is_where_the_url_says_and_its_password_may_stand_apart() -> None:
    environment = {"REDIS_URL": "redis://h:1/2", "REDIS_USERNAME": "anna", "REDIS_PASSWORD": "pw"}

    location = load(GatewaySettings, environment).redis_location()

    assert (location.addresses, location.db, location.credentials) == ((("h", 1),), 2, ("anna", "pw"))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.org", "::", "127.0.0.1.evil"])
def test_gateway_without_authentication_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(SettingsError, match="WAYBILL_HOST"):
        load(GatewaySettings, {"WAYBILL_HOST": host})


def test_lease_that_one_late_renewal_would_lose_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"WAYBILL_RENEW_EVERY_MS=900 .* WAYBILL_LEASE_MS=1000"):
        load(ProcessorSettings, {"WAYBILL_LEASE_MS": "1000", "WAYBILL_RENEW_EVERY_MS": "900"})
