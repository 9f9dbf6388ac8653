"""A log in words: one line for each thing that happened, and what is missing is told."""

import pytest

from processor.commands.history import Event, history
from shared import events
from shared.event_id import EventId
from tests.support import jobs

BROKEN = "SOURCE_CHANGED: file 70001 changed"
STARTED = events.encode(events.Started(attempt=2, at=jobs.AT))


def log(*messages: bytes, first: int = 1) -> list[Event]:
    """Give a log of these messages, numbered from `first`."""
    return [(EventId(1, first + n), message) for n, message in enumerate(messages)]


def words(entries: list[Event], *, is_whole: bool = True) -> list[str]:
    """Tell a log, without ids and times."""
    return [happened.words for happened in history(entries, is_whole=is_whole)]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (jobs.QUEUED, "queued"),
        (jobs.RELEASED, "queued: the processor stops"),
        (STARTED, "started, attempt 2"),
        (jobs.progress(0.5), "50 %: 1 of 2 files, 617 bytes of 1.2 kB, copying"),
        (
            jobs.RETRYING,
            "attempt 1 failed, the next one after 2.0 s (at most 3 fail): SOURCE_CHANGED: file 70001 changed",
        ),
        (jobs.COMPLETED, "completed: 2 files, 1.2 kB"),
        (jobs.FAILED, f"failed for good: {BROKEN}"),
        (jobs.CANCELLED, "cancelled: nobody waits for it"),
    ],
)
def test_every_event_has_its_words(message: bytes, told: str) -> None:
    [happened] = history(log(message), is_whole=True)

    assert (happened.event_id, happened.at, happened.words) == ("1-1", jobs.AT, told)


@pytest.mark.parametrize("message", [b'{"type":"later"}', b'{"type":"started"}', b"[1]", b"no JSON \xff", b""])
def test_what_has_no_words_is_shown_as_it_is(message: bytes) -> None:
    assert words(log(message)) == [message.decode(errors="replace")]


def test_progress_in_a_row_is_one_line() -> None:
    told = words(log(STARTED, *(jobs.progress(n / 10) for n in range(1, 8)), jobs.COMPLETED))

    assert told[1] == "7 times progress, from 10 % to 70 %: 1 of 2 files, 617 bytes of 1.2 kB, copying"
    assert len(told) == 3


def test_what_was_trimmed_is_told_at_its_place() -> None:
    told = words([*log(jobs.progress(0.5), first=5), *log(jobs.progress(0.6), jobs.COMPLETED, first=7)])

    assert told[0] == "events 1 to 4 are not here any more: ended jobs keep their last events only"
    assert told[2] == "event 6 is not here any more: ended jobs keep their last events only"
    assert len(told) == 5


def test_a_log_that_was_not_read_to_its_end_says_so() -> None:
    assert words(log(jobs.QUEUED), is_whole=False)[-1] == "and more: 1 event was read"
