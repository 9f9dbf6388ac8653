"""What a look at a server from here means, a sentence for each finding. Pure.

good   as it should be            note   worth knowing            bad   does not work from here
"""

from collections.abc import Iterator
from typing import NamedTuple

from shared import limits

CLOCK_MAX_SECONDS = 5.0
LATE_MAX_SECONDS = 2.0
PROXY_PAGE = "docs/proxies.md says what a proxy must do"


class Finding(NamedTuple):
    """One sentence, and whether it is `good`, a `note` or `bad`."""

    level: str
    sentence: str


class Reached(NamedTuple):
    """An answer: how long it took, its HTTP version, and the server's clock minus ours, None without a Date.

    `offers_http2` is None where that was not asked: without TLS browsers do not speak it.
    """

    answered_ms: int
    status: int
    clock_ahead_seconds: float | None
    offers_http2: bool | None


class Streamed(NamedTuple):
    """A stream that was watched. None: that did not come.

    `late_seconds` is the most by which a live event came after it was written; `ending` says how the stream ended:
    `open` (we left), `end` (the job's), `busy`, `cut`, `refused`; `ended_ms` is when, counted from its opening.
    """

    head_ms: int | None
    first_frame_ms: int | None
    late_seconds: float
    silence_ms: int
    ending: str
    ended_ms: int
    reason: str = ""


def about_reach(url: str, reached: Reached) -> Iterator[Finding]:
    """Judge an answer of the server."""
    yield Finding("good", f"{url} answers within {reached.answered_ms} ms.")
    if reached.offers_http2 is None:
        yield Finding("note", "Without TLS browsers keep to HTTP/1.1, and to six connections to one server at a time.")
    elif reached.offers_http2:
        yield Finding("good", "It offers HTTP/2: browsers may have as many streams as they like.")
    else:
        yield Finding("note", "It offers HTTP/1.1 alone: browsers have six connections to one server at a time.")
    yield _about_clock(reached.clock_ahead_seconds)


def _about_clock(ahead_seconds: float | None) -> Finding:
    if ahead_seconds is None:
        return Finding("note", "It does not say what time it is, so that the clocks could not be compared.")
    if abs(ahead_seconds) <= CLOCK_MAX_SECONDS:
        return Finding("good", "Its clock and this machine's agree.")
    way = "behind" if ahead_seconds > 0 else "ahead of"
    sentence = (
        f"This machine's clock is {abs(ahead_seconds):.0f} seconds {way} the server's: times are told wrongly here."
    )
    return Finding("note", sentence)


def about_stream(streamed: Streamed) -> Iterator[Finding]:
    """Judge a stream that was watched."""
    if streamed.ending == "refused":
        yield Finding("bad", f"The stream was refused: {streamed.reason}")
    elif streamed.head_ms is None:
        yield Finding("bad", "The stream was not answered. Something on the way does not let it through.")
    elif streamed.first_frame_ms is None:
        yield Finding(
            "bad",
            f"The stream was opened, and nothing came for {limits.CLIENT_FIRST_FRAME_WITHIN_SECONDS:.0f} seconds: "
            "something on the way (a proxy, an antivirus) keeps live updates back. waybill polls instead. "
            f"{PROXY_PAGE}.",
        )
    else:
        yield from _about_open_stream(streamed)


def _about_open_stream(streamed: Streamed) -> Iterator[Finding]:
    if streamed.reason and streamed.ending == "busy":
        yield Finding("note", f"The server ended the stream itself ({streamed.reason}). Look again in a moment.")
        return
    yield Finding("good", f"Live updates come through: the first after {streamed.first_frame_ms} ms.")
    if streamed.late_seconds > LATE_MAX_SECONDS:
        yield Finding(
            "bad",
            f"Some of them came {streamed.late_seconds:.0f} seconds late: something on the way collects them. "
            f"{PROXY_PAGE}.",
        )
    seconds = streamed.ended_ms / 1000
    if streamed.ending == "cut":
        yield Finding(
            "bad",
            f"The stream was cut after {seconds:.0f} seconds, at most {streamed.silence_ms / 1000:.0f} of them silent: "
            f"something on the way does not keep connections. waybill connects again by itself. {PROXY_PAGE}.",
        )
    elif streamed.ending == "open":
        yield Finding("good", f"The stream stayed open for the {seconds:.0f} seconds that it was watched.")
    else:
        yield Finding("note", f"The job ended after {seconds:.1f} seconds: how long a stream lives was not seen.")


def unlooked() -> Finding:
    """Say that there was no stream to look at."""
    return Finding(
        "note",
        "None of your jobs is going on: live updates were not looked at. Start one, or give --file with a file id.",
    )
