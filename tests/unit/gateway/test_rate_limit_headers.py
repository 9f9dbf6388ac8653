"""RateLimit-Policy and RateLimit, as a parser of structured fields reads them."""

from gateway.rate_limit_headers import Standing, rate_limit_headers


def test_each_policy_is_told_with_what_is_left_of_it() -> None:
    headers = rate_limit_headers(
        [Standing("jobs-in-flight", 1_000, 999), Standing("creates", 600, 3, window_seconds=60, next_seconds=12)]
    )

    assert headers == {
        "ratelimit-policy": '"jobs-in-flight";q=1000;qu="concurrent-requests", "creates";q=600;w=60',
        "ratelimit": '"jobs-in-flight";r=999, "creates";r=3;t=12',
    }


def test_what_was_not_looked_at_is_told_as_a_policy_alone() -> None:
    assert rate_limit_headers([Standing("creates", 600, window_seconds=60)]) == {
        "ratelimit-policy": '"creates";q=600;w=60'
    }


def test_without_limits_there_is_nothing_to_tell() -> None:
    assert rate_limit_headers([]) == {}
