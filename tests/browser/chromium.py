"""A headless Chromium, driven over a pipe by the Chrome DevTools Protocol: a tab, its JavaScript, what its page says.

The protocol's messages are JSON objects that end in a NUL; Chromium reads them from its descriptor 3 and writes them to
its descriptor 4 (`--remote-debugging-pipe`). So there is no port, and no package between the tests and the browser.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

from deploy.local.tether import tethered
from tests.support.tools import require_tool
from tests.support.waiting import PATIENCE_SECONDS

CLOSE_WITHIN_SECONDS = 10.0
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    # Nothing but this machine is asked for anything.
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
PLACE_PIPES = """
import os, sys
for place, end in enumerate(map(int, sys.argv[1:3]), start=3):
    os.dup2(end, place)
    os.close(end)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes a command whose descriptors 3 and 4 are the two ends named first; dash has no words for it."""
TELL = "tellTheTest"
"""What a page calls with one string to be heard here."""


class Tab:
    """One page; `on_told` is called, on the browser's thread, with each string that it tells."""

    def __init__(self, browser: "Browser", session: str, on_told: Callable[[str], None]) -> None:
        self._browser = browser
        self._session = session
        self.on_told = on_told

    def visit(self, url: str) -> None:
        """Begin to load a page; run() waits until its document is there."""
        reply = self._browser.ask("Page.navigate", self._session, url=url)
        assert "errorText" not in reply, f"{url}: {reply['errorText']}"

    def show_on(self, *, width_pixels: int, color_scheme: str) -> None:
        """Be a screen of this width, of somebody who prefers `light` or `dark`."""
        screen = {"width": width_pixels, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._browser.ask("Emulation.setDeviceMetricsOverride", self._session, **screen)
        feature = {"name": "prefers-color-scheme", "value": color_scheme}
        self._browser.ask("Emulation.setEmulatedMedia", self._session, features=[feature])

    def run(self, script: str) -> Any:
        """Run JavaScript and give its value, of a promise that which it resolves to; fails when it throws."""
        reply = self._browser.ask(
            "Runtime.evaluate", self._session, expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")


class Browser:
    """A context manager; its profile and its log are in `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = require_tool("chromium")
        self._numbers = iter(range(1, 1_000_000))
        self._answers: dict[int, Future[dict[str, Any]]] = {}
        self._tabs: dict[str, Tab] = {}

    def __enter__(self) -> Self:
        """Start it."""
        near_read, far_write = _pipe()
        far_read, near_write = _pipe()
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own sandbox does not work for root
        command = [self._path, *OPTIONS, *sandbox, f"--user-data-dir={self._home}/profile", "about:blank"]
        with (self._home / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                tethered([sys.executable, "-I", "-S", "-c", PLACE_PIPES, str(far_read), str(far_write), *command]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(far_read, far_write),
            )
        os.close(far_read)
        os.close(far_write)
        self._from = os.fdopen(near_read, "rb")
        self._to = os.fdopen(near_write, "wb")
        self._thread = threading.Thread(target=self._listen, name="chromium", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        with contextlib.suppress(OSError, AssertionError, TimeoutError):
            self.ask("Browser.close")
        try:
            self._process.wait(CLOSE_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        with contextlib.suppress(OSError):
            self._to.close()
        self._from.close()

    @contextlib.contextmanager
    def tab(self, on_told: Callable[[str], None] = lambda _: None) -> Iterator[Tab]:
        """Open a tab, with cookies, caches and connections of its own; close it afterwards."""
        context = self.ask("Target.createBrowserContext")["browserContextId"]
        target = self.ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, session, on_told)
        self.ask("Runtime.enable", session)
        self.ask("Runtime.addBinding", session, name=TELL)
        try:
            yield tab
        finally:
            self.ask("Target.disposeBrowserContext", browserContextId=context)

    def ask(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Send one command and give its result; fails with the browser's own words."""
        number, answer = next(self._numbers), Future[dict[str, Any]]()
        self._answers[number] = answer
        message = {"id": number, "method": method, "params": parameters}
        self._to.write(json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        self._to.flush()
        reply = answer.result(PATIENCE_SECONDS)
        assert "error" not in reply, f"{method}: {reply['error']}"
        result: dict[str, Any] = reply["result"]
        return result

    def _listen(self) -> None:
        rest = b""
        while piece := self._from.read1(65_536):
            *messages, rest = (rest + piece).split(b"\0")
            for message in messages:
                self._take(json.loads(message))
        for answer in self._answers.values():
            answer.cancel()

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers.pop(message["id"]).set_result(message)
        elif message["method"] == "Runtime.bindingCalled":
            self._tabs[message["sessionId"]].on_told(message["params"]["payload"])


def _pipe() -> tuple[int, int]:
    """Make a pipe whose descriptors are none of those at which Chromium wants its own."""
    ends = os.pipe()
    near, far = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return near, far
