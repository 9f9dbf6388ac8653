"""Makes calls through all gateways in turn, and writes down what was answered."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from shared.clock import now_ms
from shared.events import timestamp
from tests.chaos.history import UNKNOWN, Asked, Call
from tests.support.system import JOBS

CUT_OFF = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)
"""The connection broke. Not: nobody was there, or nobody answered in time; gateways are not killed here."""


class Caller:
    """Callers over one HTTP client; `calls` has what was answered, but for what was refused for now."""

    def __init__(self, http: httpx.AsyncClient, gateway_urls: Iterable[str], calls: list[Call]) -> None:
        self.http = http
        self.refused_calls = 0
        self.cut_calls: list[str] = []
        self._gateways = itertools.cycle(gateway_urls)
        self._calls = calls

    def next_url(self, path: str) -> str:
        """Give a path at the gateway whose turn it is."""
        return next(self._gateways) + path

    async def create(self, body: Mapping[str, Any], *, key: str = "") -> str | None:
        """Create a job; None when that was refused for now or cut off, and may have been done all the same."""
        headers, sent_at_ms = {"Idempotency-Key": f"storm-{key}"} if key else {}, now_ms()
        answer = await self._send("POST", JOBS, json=body, headers=headers)
        if answer is None:
            return None
        job_id: str = answer.json()["job_id"]
        self.note(Asked.CREATE, job_id, sent_at_ms, status=answer.status_code, key=key)
        return job_id

    async def ask(self, asked: Asked, method: str, job_id: str, path: str = "") -> httpx.Response | None:
        """Make a call about a job; None when it was cut off, or refused for now, as while Redis is away."""
        sent_at_ms = now_ms()
        answer = await self._send(method, f"{JOBS}/{job_id}{path}")
        if answer is None and asked is Asked.RETRY:
            self.note(asked, job_id, sent_at_ms, status=UNKNOWN)
        if answer is not None:
            word = answer.json().get("status", "") if asked is Asked.CANCEL and answer.is_success else ""
            self.note(asked, job_id, sent_at_ms, status=answer.status_code, word=word)
        return answer

    def note(self, asked: Asked, job_id: str, sent_at_ms: int, **more: Any) -> None:
        """Write a call down that is answered now."""
        self._calls.append(Call(asked=asked, job_id=job_id, sent_at_ms=sent_at_ms, answered_at_ms=now_ms(), **more))

    def note_cut(self, method: str, path: str, error: Exception) -> None:
        """Write a call down whose connection broke: it should not have."""
        self.cut_calls.append(f"{timestamp(now_ms())} {method} {path}: {error!r}")

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        try:
            answer = await self.http.request(method, self.next_url(path), **more)
        except CUT_OFF as error:  # nobody knows whether it was done: who must know repeats it, as real callers do
            self.note_cut(method, path, error)
            return None
        if answer.status_code == 503:
            self.refused_calls += 1
            return None
        is_told_how_it_is = answer.status_code == 410 or (answer.status_code == 409 and path.endswith("/retry"))
        assert answer.is_success or is_told_how_it_is, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer
