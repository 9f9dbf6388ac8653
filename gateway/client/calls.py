"""Calls to a server that are repeated until they are answered: patience, Retry-After, and the server's own errors."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from gateway.client.answers import error_of, is_worth_repeating, retry_after_ms
from gateway.client.errors import NobodyListens, NotWaybill, ServerUnreachable
from gateway.client.patience import Patience
from gateway.client.wire import Answer, Wire
from shared import limits
from shared.errors import WaybillError


def monotonic_ms() -> int:
    """Give a clock that never goes back."""
    return int(time.monotonic() * 1000)


OnTrouble = Callable[[WaybillError, int], None]
"""Told of what went wrong, and of the pause in milliseconds before it is tried again."""


def _worth_seconds(error: WaybillError) -> float:
    is_nobody = isinstance(error, NobodyListens)
    return limits.CLIENT_NOBODY_LISTENS_SECONDS if is_nobody else limits.CLIENT_PATIENCE_SECONDS


class Calls:
    """What the API answers with JSON. Each of its calls may be sent again: a POST of a job has its Idempotency-Key."""

    def __init__(self, wire: Wire, *, tries: int = limits.CLIENT_TRIES, on_trouble: OnTrouble | None = None) -> None:
        self.wire = wire
        self._tries = tries
        self._on_trouble = on_trouble

    def patience(self) -> Patience:
        """Give fresh patience for one thing that is wanted."""
        return Patience(monotonic_ms(), tries=self._tries)

    async def pause_or_raise(self, patience: Patience, error: WaybillError, *, at_least_ms: int = 0) -> None:
        """Wait as long as patience says; raises the error once it is spent."""
        pause_ms = patience.pause_ms(
            monotonic_ms(), random.random(), at_least_ms=at_least_ms, within_seconds=_worth_seconds(error)
        )
        if pause_ms is None:
            raise error
        if self._on_trouble is not None:
            self._on_trouble(error, pause_ms)
        await asyncio.sleep(pause_ms / 1000)

    async def json(
        self,
        method: str,
        path: str,
        *,
        needs: Collection[str],
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> dict[str, Any]:
        """Give the answer's object. Raises the error that a refusal stands for, ServerUnreachable.

        Raises NotWaybill when it is no object, or one without the members that it `needs`.
        """
        answer = await self.answered(method, path, headers=headers, body=body)
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not found.keys() >= set(needs):
            raise self.foreign(answer)
        return found

    def foreign(self, answer: Answer) -> NotWaybill:
        """Give the error of an answer that Waybill would not have given."""
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        what = "a web page" if is_page else "something else"
        return NotWaybill(f"{self.wire.base_url} answered with {what}, not with Waybill. Check the address.")

    async def answered(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """Give the first answer that is none of trouble in between. Raises as json()."""
        patience = self.patience()
        while True:
            at_least_ms = 0
            try:
                answer = await self.wire.call(method, path, headers=headers, body=body)
            except ServerUnreachable as unreachable:
                error: WaybillError = unreachable
            else:
                if 200 <= answer.status < 300:
                    return answer
                error = error_of(answer.status, answer.headers, answer.body, shown_url=self.wire.base_url)
                if not is_worth_repeating(answer.status):
                    raise error
                at_least_ms = retry_after_ms(answer.headers)
            await self.pause_or_raise(patience, error, at_least_ms=at_least_ms)
