"""Other people's readers on a stream of many jobs: its vector is an id as any other to them, and 204 stops them."""

import json

from tests.readers.author import AWKWARD, Author
from tests.readers.followed import Follow
from tests.support.many_reader import MADE, ManyReader, many_stream
from tests.support.proxy import NO_FAULT, Fault, FaultProxy
from tests.support.sse_reader import Frame
from tests.support.system import System

STRANGER = "00000000-0000-8000-8000-000000000000"


def test_each_reader_sees_every_event_of_each_job_over_a_bad_line_and_stops_at_the_last_end(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    authors = [Author(system) for _ in range(3)]
    paths = [author.path for author in authors]
    for author in authors:
        author.write(AWKWARD, "second")
    # Whole frames and heads, and then nothing more: undici and Chromium judge what is cut within a head.
    line.deal = lambda number: Fault(cut_after_reply_bytes=1_000 + 37 * number) if number < 30 else NO_FAULT
    url = f"http://127.0.0.1:{line.port}{many_stream(paths, last_event_id='0-0.0-0.0-0')}"

    with follow(url) as followed:
        followed.wait_for("all that there is", lambda told: len(told.messages("progress")) >= 6)
        for author in authors:
            author.write("third", AWKWARD)
            author.end()
            line.cut()
        stop = followed.wait_for_stop()

    reader = ManyReader(paths, "0-0.0-0.0-0")
    for told in followed.of_kind("message"):
        message = json.loads(told.text)
        if message["type"] not in MADE:
            reader.take(Frame(told.id, None, None, message))
    for path in paths:
        assert reader.events_of(path) == system.log(path)
    assert stop.status in (204, None)
    assert line.cuts >= 3


def test_readers_of_jobs_that_cannot_be_had_are_told_once_and_stop(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    with follow(f"http://127.0.0.1:{line.port}{many_stream([STRANGER, 'none'])}") as followed:
        stop = followed.wait_for_stop()

    errors = followed.messages("error")
    assert [(error["job_id"], error["error"]["code"]) for error in errors] == [
        (STRANGER, "NOT_FOUND"),
        ("none", "NOT_FOUND"),
    ]
    assert stop.status in (204, None)
