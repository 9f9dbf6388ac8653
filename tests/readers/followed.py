"""What a reader of other people's told of a stream while it followed it, whichever reader it is."""

import contextlib
import functools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy.local.tether import tethered
from tests.browser.chromium import TELL, Browser
from tests.support.proxy import FaultProxy
from tests.support.tools import missing, require_tool
from tests.support.waiting import until

READERS_DIR = Path(__file__).parent
PROGRAMS_DIR = READERS_DIR / "node"


class Told(NamedTuple):
    """One thing that a reader told: open, message, trouble (it will come back) or stopped (it will not).

    `at_ms` is the reader's own clock. `type` is `message`, or that of the frame's `event:` line. `status` is what made
    it stop, where it knows.
    """

    kind: str
    at_ms: float
    type: str = ""
    id: str = ""
    text: str = ""
    status: int | None = None

    @property
    def message(self) -> dict[str, Any]:
        """The message; fails when it is no JSON object."""
        read: dict[str, Any] = json.loads(self.text)
        return read


class Followed:
    """Grows while its reader follows the stream."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def take(self, line: str) -> None:
        """Take one thing that the reader told."""
        self.told.append(Told(**json.loads(line)))

    def of_kind(self, kind: str) -> list[Told]:
        """Give what was told of one kind, oldest first."""
        return [told for told in self.told if told.kind == kind]

    def messages(self, *types: str) -> list[dict[str, Any]]:
        """Give the messages of these types, oldest first."""
        return [told.message for told in self.of_kind("message") if told.message["type"] in types]

    def events(self) -> list[dict[str, Any]]:
        """Give what it saw of the job's log, in the form of /events: without what was made for this viewer alone."""
        seen = [(told.id, told.message) for told in self.of_kind("message")]
        made = ("snapshot", "busy", "heartbeat")
        return [{"id": event_id, **message} for event_id, message in seen if message["type"] not in made]

    def wait_for(self, what: str, look: Callable[["Followed"], object]) -> None:
        """Wait until what was told satisfies `look`."""
        until(lambda: look(self), f"the reader has told: {what}; told: {self.told[-5:]}")

    def wait_for_message(self, message_type: str) -> None:
        """Wait for a message of a type."""
        self.wait_for(message_type, lambda followed: followed.messages(message_type))

    def wait_for_stop(self) -> Told:
        """Wait until the reader says that it will not come back; give what it said."""
        self.wait_for("stopped", lambda followed: followed.of_kind("stopped"))
        return self.of_kind("stopped")[0]


def stream_of(path: str, line: FaultProxy, query: str = "?last_event_id=0-0") -> str:
    """Give the URL of a job's stream behind a line; from the start unless told."""
    return f"http://127.0.0.1:{line.port}{path}/stream{query}"


Follow = Callable[[str], contextlib.AbstractContextManager[Followed]]
"""Lets a reader follow the stream at a URL until the end of the block."""


@contextlib.contextmanager
def by_program(command: Sequence[str]) -> Iterator[Followed]:
    """Follow a stream with a program that prints what it tells, a line each."""
    followed = Followed()
    process = subprocess.Popen(tethered(command), stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            followed.take(line)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield followed
    finally:
        process.kill()
        process.wait()
        listener.join()
        assert process.stdout is not None
        process.stdout.close()


def by_node(reader: str) -> Follow:
    """Follow streams with a reader of node/."""
    node = require_packages()
    return lambda url: by_program([node, str(PROGRAMS_DIR / "follow.mjs"), reader, url])


def by_httpx_sse(url: str) -> contextlib.AbstractContextManager[Followed]:
    """Follow a stream with httpx-sse."""
    return by_program([sys.executable, "-m", "tests.readers.httpx_sse_program", url])


def by_chromium(browser: Browser, page: str) -> Follow:
    """Follow streams with a browser's own EventSource, in a page that the gateway lets read (CORS)."""

    @contextlib.contextmanager
    def follow(url: str) -> Iterator[Followed]:
        followed = Followed()
        watch = (PROGRAMS_DIR / "event_source.mjs").read_text(encoding="utf-8").replace("export ", "")
        tell = f"(told) => {TELL}(JSON.stringify({{ ...told, at_ms: performance.now() }}))"
        with browser.tab(followed.take) as tab:
            tab.visit(page)
            tab.run(f"{watch}\nwatch(EventSource, {json.dumps(url)}, {tell})")
            yield followed

    return follow


def require_packages() -> str:
    """Give the path of Node.js; skips, or fails where tools are required, when it or the npm packages are missing."""
    node = require_tool("node")
    if not (READERS_DIR / "node_modules").is_dir():
        missing("the npm packages of tests/readers are not installed: make readers")
    return node


class Split(NamedTuple):
    """What a reader of node/ makes of one stream, split and cut at each place.

    `wrong`: the splits after which the messages were others. `ahead`: the cuts after which it comes back with the id of
    an event that it has not told. Places are counted in bytes.
    """

    messages: list[Told]
    wrong: list[object]
    ahead: list[int]


@functools.cache
def split_everywhere(reader: str, stream: bytes) -> Split:
    """Let a reader of node/ read a stream once for each place."""
    command = [require_packages(), str(PROGRAMS_DIR / "split.mjs"), reader]
    printed = json.loads(subprocess.run(command, input=stream, check=True, capture_output=True, timeout=60).stdout)
    return Split([Told(at_ms=0.0, **told) for told in printed["messages"]], printed["wrong"], printed["ahead"])


READERS = ("eventsource_parser", "fetch_event_source", "undici", "httpx_sse", "chromium")


def follow_with(reader: str, request: pytest.FixtureRequest) -> Follow:
    """Give the reader of that name; Chromium is started when the first test asks for it."""
    if reader == "chromium":
        return by_chromium(request.getfixturevalue("chromium"), request.getfixturevalue("page"))
    return by_httpx_sse if reader == "httpx_sse" else by_node(reader)
