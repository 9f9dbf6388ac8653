"""The errors of whoever asks for more than there is room for; a part of the tree of errors.py.

RequestError
└── LimitReached               an owner has as much as an owner may have (429)
    └── TooManyJobsInFlight, TooManyCreates, TooManyWaitingCallbacks, TooManyOwnerStreams
UnavailableError
└── BacklogFull, RedisNearlyFull       all owners together have as much as this service takes (503)
"""

from collections.abc import Mapping

from shared.errors import RequestError, UnavailableError


class LimitReached(RequestError):
    """An owner has as much as an owner may have; nothing was done. `headers` say the limits and what is left."""

    code = "LIMIT_REACHED"
    status = 429
    is_retryable = True

    def __init__(self, message: str, *, retry_after_seconds: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.headers = dict(headers or {})


class TooManyJobsInFlight(LimitReached):
    """The owner has as many unfinished jobs as an owner may have."""

    code = "LIMIT_JOBS_IN_FLIGHT"


class TooManyCreates(LimitReached):
    """The owner has created as many jobs in a minute as an owner may."""

    code = "LIMIT_CREATES"


class TooManyWaitingCallbacks(LimitReached):
    """As many callbacks of the owner wait to be delivered as an owner may have, and this would be one more."""

    code = "LIMIT_CALLBACKS_WAITING"


class TooManyOwnerStreams(LimitReached):
    """The owner has as many streams open as an owner may have, on all gateways together."""

    code = "LIMIT_STREAMS"


class BacklogFull(UnavailableError):
    """There are as many unfinished jobs as this service takes; nothing was created."""

    code = "BACKLOG_FULL"


class RedisNearlyFull(UnavailableError):
    """Redis has no memory to spare for new jobs; those that are there go on."""

    code = "REDIS_NEARLY_FULL"
