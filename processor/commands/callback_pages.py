"""Callbacks as text for a terminal, and as lines of JSON. Pure.

Of a URL only the host is shown: its path may be a secret. What comes from callers may hold anything, and is made
printable.
"""

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from processor.commands.letter_pages import printable
from processor.commands.wording import columns, moment, spoken
from shared.jobstore.callback import CallbackName, CallbackRecord, DeadCallback, DeliveryOutcome

_WAITING_HEAD = ("NEXT TRY (UTC)", "JOB", "TO", "TRIES", "LAST ANSWER")
_DEAD_HEAD = ("GIVEN UP AT (UTC)", "JOB", "OWNER", "TO", "TRIES", "LAST ANSWER")


def waiting_page(callbacks: Sequence[CallbackRecord]) -> list[str]:
    """Write callbacks that wait as the lines of a table with a head."""
    return columns([_WAITING_HEAD, *map(_waiting_row, callbacks)], right=[3])


def dead_page(callbacks: Sequence[DeadCallback]) -> list[str]:
    """Write callbacks that were given up as the lines of a table with a head."""
    return columns([_DEAD_HEAD, *map(_dead_row, callbacks)], right=[4])


def job_page(callbacks: Sequence[CallbackRecord]) -> list[str]:
    """Write a job's callbacks, each with its tries line by line."""
    lines = []
    for callback in callbacks:
        next_try = f", next try {moment(callback.next_try_at_ms)}" if callback.next_try_at_ms is not None else ""
        lines.append(f"{callback.callback_id} to {_to(callback)}: {callback.state}{next_try}")
        lines += [f"  {line}" for line in _history(callback)]
    return lines


def _history(callback: CallbackRecord) -> list[str]:
    """Write what happened to a callback in its order: its tries, and that somebody wanted it told anew."""
    happened = [(told.at_ms, _told(told)) for told in callback.tries]
    if callback.asked_at_ms is not None:
        happened.append((callback.asked_at_ms, f"{moment(callback.asked_at_ms)}  Somebody wanted it told anew."))
    return [line for _, line in sorted(happened, key=lambda each: each[0])]


def callback_json(callback: CallbackRecord) -> str:
    """Write what is kept of a callback as one JSON object."""
    return json.dumps(
        {
            "callback_id": callback.callback_id,
            "job_id": callback.name.job_id,
            "to": _to(callback),
            "state": callback.state,
            "attempt": callback.attempt,
            "next_try_at_ms": callback.next_try_at_ms,
            "asked_at_ms": callback.asked_at_ms,
            "tries": [
                {"at_ms": told.at_ms, "duration_ms": told.duration_ms, "status": told.status, "error": told.error}
                for told in callback.tries
            ],
        }
    )


def dead_json(callback: DeadCallback) -> str:
    """Write a callback that was given up as one JSON object."""
    return json.dumps(
        {
            "callback_id": callback.callback_id,
            "job_id": callback.job_id,
            "owner": callback.owner,
            "to": _to_dead(callback),
            "given_up_at_ms": _at_ms(callback),
            "attempts": callback.attempts,
            "status": callback.status,
            "reason": callback.reason,
        }
    )


def _waiting_row(callback: CallbackRecord) -> tuple[str, ...]:
    at = "being tried" if callback.next_try_at_ms is None else moment(callback.next_try_at_ms)
    last = _answer(callback.tries[-1]) if callback.tries else ""
    return at, callback.name.job_id, _to(callback), str(callback.attempt), last


def _dead_row(callback: DeadCallback) -> tuple[str, ...]:
    cells = (callback.job_id, callback.owner, _to_dead(callback), str(callback.attempts), callback.reason)
    return moment(_at_ms(callback)), *map(printable, cells)


def _told(told: DeliveryOutcome) -> str:
    return f"{moment(told.at_ms)}  {_answer(told)} ({spoken(told.duration_ms)})"


def _answer(told: DeliveryOutcome) -> str:
    return printable(told.error or f"The receiver answered {told.status}.")


def _to(callback: CallbackRecord) -> str:
    return "admins" if callback.name.is_for_admins else _host(callback.url or "")


def _to_dead(callback: DeadCallback) -> str:
    name = CallbackName.read(callback.callback_id)
    return "admins" if name is not None and name.is_for_admins else _host(callback.url)


def _host(url: str) -> str:
    try:
        return printable(urlsplit(url).hostname or "?")
    except ValueError:
        return "?"


def _at_ms(callback: DeadCallback) -> int:
    return int(callback.dead_id.partition("-")[0])
