"""What of a limit is left, in the headers RateLimit-Policy and RateLimit. Pure.

draft-ietf-httpapi-ratelimit-headers-10: two Lists of RFC 9651, whose Items are the names of policies. `q` is the quota,
`w` its window (seconds), `r` what is left of it, `t` when more will be (seconds).
"""

from collections.abc import Sequence
from typing import NamedTuple

JOBS_IN_FLIGHT = "jobs-in-flight"
CREATES = "creates"
CALLBACKS_WAITING = "callbacks-waiting"
STREAMS = "streams"


class Standing(NamedTuple):
    """One limit of an owner; `left` is None where this answer did not look, `window_seconds` where there is none."""

    policy: str
    quota: int
    left: int | None = None
    window_seconds: int | None = None
    next_seconds: int | None = None


def rate_limit_headers(standings: Sequence[Standing]) -> dict[str, str]:
    """Write the headers; none without a limit."""
    headers = {"ratelimit-policy": ", ".join(map(_policy, standings))}
    headers["ratelimit"] = ", ".join(_service_limit(one) for one in standings if one.left is not None)
    return {name: text for name, text in headers.items() if text}


def _policy(one: Standing) -> str:
    # What is unfinished is a request that the service still works on: §2.2.2, "concurrent-requests".
    window = f";w={one.window_seconds}" if one.window_seconds is not None else ';qu="concurrent-requests"'
    return f'"{one.policy}";q={one.quota}{window}'


def _service_limit(one: Standing) -> str:
    until = "" if one.next_seconds is None else f";t={one.next_seconds}"
    return f'"{one.policy}";r={one.left}{until}'
