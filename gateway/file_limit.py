"""How many files, and so connections, this process may have open."""

import resource

import structlog

log = structlog.get_logger(__name__)

_MANY = 1_000_000
OTHERS = 200
"""Descriptors that are no streams: Redis, the store, the listeners, downloads, other requests."""


def raise_file_limit(streams: int) -> None:
    """Raise the soft limit as far as the system lets us, and say so when `streams` may not fit even then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = streams + OTHERS
    if soft != hard:
        # Beyond what is wanted too: peers that have sent no request yet hold descriptors, and nobody may go without.
        soft = max(wanted, _MANY) if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != resource.RLIM_INFINITY and soft < wanted:
        log.warning(
            "too few files for the streams",
            variable="WAYBILL_MAX_STREAMS",
            file_limit=soft,
            max_streams=streams,
            wanted=wanted,
        )
