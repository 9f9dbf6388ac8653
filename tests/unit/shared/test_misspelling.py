"""Which variables are taken for misspelt settings, and which for somebody else's."""

import pytest

from shared.misspelling import likely_misspelt


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("WAYBILL_PROT", "WAYBILL_PORT"),
        ("WAYBILL_RENEW_EVERY", "WAYBILL_RENEW_EVERY_MS"),
        ("WAYBILL_REDIS_URL", "REDIS_URL"),
        ("waybill_slots", "WAYBILL_SLOTS"),
        ("WAYBILL_CATALOG", "WAYBILL_CATALOGUE"),
        ("WAYBIL_SLOTS", "WAYBILL_SLOTS"),
        ("REDIS_URI", "REDIS_URL"),
        ("REDIS_PASSWD", "REDIS_PASSWORD"),
        ("REDIS_USER", "REDIS_USERNAME"),
        ("RDIS_URL", "REDIS_URL"),
    ],
)
def test_a_variable_near_a_known_one_is_told(variable: str, meant: str) -> None:
    assert likely_misspelt({variable: "1"}) == [(variable, meant)]


def test_known_and_far_variables_are_no_mistakes() -> None:
    known = ["WAYBILL_SLOTS", "WAYBILL_PORT", "WAYBILL_HOME", "WAYBILL_REQUIRE_TOOLS", "REDIS_URL"]

    assert likely_misspelt(dict.fromkeys([*known, "WAYBILL_SERVICE_HOST_9", "PATH", "SLOTS", "WAYBILL_"], "1")) == []


def test_what_other_programs_call_their_redis_is_no_mistake() -> None:
    of_others = ["REDIS_HOST", "REDIS_PORT", "REDIS_PORT_6379_TCP_ADDR", "REDIS_DB", "REDIS_TLS_URL", "REDIS_NAME"]

    assert likely_misspelt(dict.fromkeys([*of_others, "REDISCLI_AUTH", "URL", "USERNAME"], "1")) == []


def test_one_beside_the_variable_that_was_meant_is_told_too() -> None:
    both = {"REDIS_URI": "redis://b", "REDIS_URL": "redis://a"}

    assert likely_misspelt(both) == [("REDIS_URI", "REDIS_URL")]
