"""What one reader knows of a job, from the messages that it has seen. Pure: both clocks are passed in.

Server times are compared with server times only, so that a wrong clock here changes nothing but how an expiry is said.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.client.display import Calm, calmed, moment
from gateway.client.file_name import saved_name
from gateway.client.record import TERMINAL, Message
from gateway.client.sentences import Facts

_STATES = {"started": "processing", "progress": "processing", "error": "failed"}
# Of a job that cannot be had, on a stream of many.
_UNHAD = {"NOT_FOUND": "lost", "GONE": "gone"}
_NUMBERS = ("files_processed", "total_files", "bytes_processed", "total_bytes", "phase")


class Sight:
    """One job. Begins as `submitting`; each message moves it on."""

    def __init__(self) -> None:
        self._facts = Facts(state="submitting")
        self._calm: Calm | None = None
        self._progress_at_ms = 0
        self._started_at_ms: int | None = None
        self._retry_at_ms: int | None = None
        self._starts_at_ms: int | None = None
        self._expires_at: str | None = None
        self.progress_ratio: float | None = None

    @property
    def state(self) -> str:
        """The job's state, `submitting` before anything is known."""
        return self._facts.state

    @property
    def is_over(self) -> bool:
        """Tell whether the job has ended."""
        return self._facts.state in (*TERMINAL, *_UNHAD.values())

    @property
    def can_retry(self) -> bool:
        """Tell whether it failed, and starting it anew may help."""
        return self._facts.can_retry

    @property
    def skipped_files(self) -> int:
        """How many files were left out."""
        return self._facts.skipped_files

    def see(self, message: Message, now_ms: int) -> None:
        """Take a message."""
        kind, body = message.type, message.body
        if kind == "snapshot":
            self._see_record(body, now_ms)
        elif kind == "started":
            is_resumed = body["attempt"] > 1 and self.state in ("processing", "queued")
            self._facts = replace(self._facts, attempt=body["attempt"], is_resumed=is_resumed, phase="planning")
            self._calm, self._started_at_ms, self._progress_at_ms = None, now_ms, now_ms
        elif kind == "progress":
            self._see_progress(body, now_ms)
        elif kind == "queued":
            self._facts = replace(self._facts, queue_position=body.get("queue_position"))
            self._starts_at_ms = None
        elif kind in ("retrying", "completed", "error", "cancelled"):
            self._see_outcome(kind, body, now_ms)
        else:
            return  # of a later version
        if kind != "snapshot":
            self._facts = replace(self._facts, state=_UNHAD.get(self._facts.error_code) or _STATES.get(kind, kind))

    def _see_record(self, body: Mapping[str, Any], now_ms: int) -> None:
        self._facts = replace(
            self._facts,
            state=body["status"],
            attempt=body.get("attempt") or 0,
            queue_position=body.get("queue_position"),
            archive_bytes=body.get("archive_bytes"),
            skipped_files=body.get("skipped_files") or 0,
            can_retry=bool(body.get("can_retry")),
            name=saved_name(body["archive_name"]) if body.get("archive_name") else "",
            **_error(body.get("error")),
        )
        starts_in_seconds = body.get("starts_in_seconds")
        self._starts_at_ms = None if starts_in_seconds is None else now_ms + int(starts_in_seconds * 1000)
        self._expires_at = body.get("expires_at")
        self._see_progress(body, now_ms)
        self._facts = replace(self._facts, is_resumed=False)
        if body.get("retry_at") and body.get("at"):
            self._retry_at_ms = now_ms + _ms_between(body["at"], body["retry_at"])

    def _see_progress(self, body: Mapping[str, Any], now_ms: int) -> None:
        numbers = {name: body[name] for name in _NUMBERS if body.get(name) is not None}
        is_resumed = self._facts.is_resumed and numbers.get("phase") == "planning"
        self._facts = replace(self._facts, **numbers, is_resumed=is_resumed)
        told = body.get("remaining_seconds")
        self._calm = None if told is None else calmed(self._calm, told, now_ms)
        self._progress_at_ms = now_ms
        if body.get("total_bytes") is not None:
            self.progress_ratio = body.get("progress")

    def _see_outcome(self, kind: str, body: Mapping[str, Any], now_ms: int) -> None:
        self._calm = None
        if kind == "retrying":
            self._retry_at_ms = now_ms + int(body["retry_in_seconds"] * 1000)
            attempts = {"attempt": body["attempt"], "max_attempts": body.get("max_attempts")}
            self._facts = replace(self._facts, **attempts, **_error(body["error"]))
        elif kind == "completed":
            self.progress_ratio, self._expires_at = 1.0, body.get("expires_at")
            skipped = body.get("skipped_files") or 0
            self._facts = replace(self._facts, archive_bytes=body.get("archive_bytes"), skipped_files=skipped)
        elif kind == "error":
            self._facts = replace(self._facts, can_retry=bool(body.get("can_retry")), **_error(body["error"]))
        else:
            self._facts = replace(self._facts, reason=body.get("reason", ""))

    def facts(self, now_ms: int, now: datetime, *, is_live: bool = True) -> Facts:
        """Give what is known at this moment; `now` is the reader's own clock, with its time zone."""
        if self.state in ("queued", "processing"):
            self._calm = calmed(self._calm, None, now_ms, is_live=is_live)
        is_running = self.state == "processing" and is_live
        until = datetime.fromisoformat(self._expires_at).astimezone(now.tzinfo) if self._expires_at else None
        started_at_ms = self._started_at_ms
        return replace(
            self._facts,
            remaining_seconds=self._calm.shown_seconds if self._calm else None,
            quiet_seconds=(now_ms - self._progress_at_ms) / 1000 if is_running else 0.0,
            starts_in_seconds=self._starts_in_seconds(now_ms),
            retry_in_seconds=(self._retry_at_ms - now_ms) / 1000 if self._retry_at_ms is not None else None,
            available_until=moment(until, now) if until else "",
            elapsed_seconds=math.inf if started_at_ms is None else (now_ms - started_at_ms) / 1000,
        )

    def _starts_in_seconds(self, now_ms: int) -> float | None:
        if self._starts_at_ms is None or now_ms > self._starts_at_ms:  # it was wrong, and is told no more
            return None
        return (self._starts_at_ms - now_ms) / 1000


def _error(error: Mapping[str, Any] | None) -> dict[str, Any]:
    if not error:
        return {}
    ids = tuple(error.get("file_ids") or ())
    return {"reason": error.get("message", ""), "error_code": error.get("code", ""), "file_ids": ids}


def _ms_between(earlier: str, later: str) -> int:
    return int((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() * 1000)
