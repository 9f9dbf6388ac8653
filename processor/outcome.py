"""What becomes of a run that ended: finished, failed for good, tried again, handed back.

Pure: the random ratio is passed in.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from shared import limits
from shared.errors import ObjectForbidden, StoreRefused, StoreUnavailable, WaybillError
from shared.jobs import JobError
from shared.jobstore.operations import PERMANENT
from shared.retry import full_jitter_ms


class Fate(StrEnum):
    """What became of a run: it came to its own end, was handed back, or was left as it was (superseded, Redis away)."""

    FINISHED = "finished"
    HANDED_BACK = "handed_back"
    LEFT = "left"


class Fail(NamedTuple):
    """The job ends as failed; `reason` (`permanent` or `failures`) goes into its dead letter.

    `error` is for callers, `detail` the same for operators: with what callers need not know.
    """

    reason: str
    error: JobError
    can_retry: bool
    detail: JobError


class RetryLater(NamedTuple):
    """The job is tried again after `delay_ms`; `error` and `detail` as in Fail."""

    delay_ms: int
    error: JobError
    detail: JobError


class RetryPolicy(NamedTuple):
    """How often, and how patiently, a failing job is tried again."""

    max_failures: int = limits.MAX_FAILURES
    base_ms: int = limits.RETRY_BASE_MS
    cap_ms: int = limits.RETRY_CAP_MS
    floor_ms: int = limits.RETRY_FLOOR_MS


def after_error(error: BaseException, *, failures: int, policy: RetryPolicy, random_ratio: float) -> Fail | RetryLater:
    """Decide what follows a run that raised `error`; `failures` counts the failed runs before this one."""
    described, detail = describe(error), describe_for_operators(error)
    if isinstance(error, WaybillError) and not error.is_retryable:
        return Fail(PERMANENT, described, can_retry=False, detail=detail)
    if failures + 1 >= policy.max_failures:
        return Fail("failures", described, can_retry=True, detail=detail)
    delay_ms = full_jitter_ms(
        failures + 1, random_ratio, base_ms=policy.base_ms, cap_ms=policy.cap_ms, floor_ms=policy.floor_ms
    )
    return RetryLater(delay_ms, described, detail)


def describe(error: BaseException) -> JobError:
    """Say in public what went wrong; what is not ours may hold paths or secrets and goes to the log only."""
    if not isinstance(error, WaybillError):
        return JobError(
            "INTERNAL", "The run failed unexpectedly. The operators' log has the details under the job's id."
        )
    return _described(error, error.public_message or error.message)


def describe_for_operators(error: BaseException) -> JobError:
    """Say what went wrong, and what caused it, as far as we know its words."""
    if not isinstance(error, WaybillError):
        return describe(error)
    messages = dict.fromkeys(one.message for one in _chain(error) if isinstance(one, WaybillError))
    return _described(error, " ".join(messages))


def blames_a_store(error: BaseException) -> bool:
    """Tell whether a run ended because of an object store, and not because of its job."""
    return any(isinstance(one, StoreUnavailable | StoreRefused | ObjectForbidden) for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from."""
    one: BaseException | None = error
    for _ in range(limits.MAX_CAUSES):  # somebody else's error may be its own cause
        if one is None:
            return
        yield one
        one = one.__cause__


def _described(error: WaybillError, message: str) -> JobError:
    # Of a handler's own error classes anything may come; what cannot be encoded would never be told.
    message = message.encode(errors="replace").decode()
    if len(message) > limits.MAX_ERROR_CHARS:
        message = message[: limits.MAX_ERROR_CHARS - 1] + "…"
    file_ids = getattr(error, "file_ids", None) or ()
    return JobError(str(error.code), message, tuple(one for one in file_ids if isinstance(one, int))[:20])


def damaged_record() -> JobError:
    """Describe a job of which no claim could read the record or the log."""
    return JobError(
        "RECORD_UNREADABLE",
        "What is kept of this job is damaged, or was written by another version of Waybill. Create the job again.",
    )


def foreign_entry() -> JobError:
    """Describe an entry of the command stream that nobody here has written."""
    return JobError("FOREIGN_ENTRY", "An entry of the command stream names no job of its partition.")


def waited_too_long() -> JobError:
    """Describe a job for which no processor was free in time."""
    hours = limits.MAX_WAITING_MS // 3_600_000
    return JobError(
        "EXPIRED",
        f"The job waited for {hours} hours, and no processor was free to run it. "
        "Create it again, and tell the operators: there are too few processors, or none.",
    )


def crashed_too_often(max_crashes: int) -> JobError:
    """Describe a job whose processors died each time they ran it."""
    return JobError(
        "CRASHED",
        f"The processor stopped without a word {max_crashes} times while it worked on this job. "
        "An operator must look at it before it is run again.",
    )
