"""The body of a callback that tells of a job's end. Pure.

Processors write it, and gateways say in their document what it is: a receiver reads there what it is sent.
"""

from enum import StrEnum

import msgspec

from shared.told_job import ToldJob


class EndType(StrEnum):
    """Which end it was, as a receiver decides by it."""

    COMPLETED = "download.completed"
    FAILED = "download.failed"
    CANCELLED = "download.cancelled"


class EndedJob(ToldJob, frozen=True, kw_only=True):
    """The job as it ended; what GET tells of it too means the same there.

    `download_url` is absolute where the operators have said what Waybill's address is (WAYBILL_PUBLIC_URL).
    """

    reason: str | None


class EndMessage(msgspec.Struct, frozen=True):
    """The body of a job's callback: `timestamp` is when the job ended."""

    type: EndType
    timestamp: str
    data: EndedJob
