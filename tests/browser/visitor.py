"""A person at the page in a real Chromium: what is seen, what is pressed, and whatever the browser complains of."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.waiting import PATIENCE_SECONDS

PATIENCE_MS = PATIENCE_SECONDS * 1_000
FAILED_REQUEST = ("Failed to load resource", "net::ERR_")
"""What Chromium itself writes for each request that fails, which no page can prevent."""


class Visitor:
    """One tab. `complaints`: the console's warnings and errors, and uncaught exceptions, of all tabs that it opened."""

    def __init__(self, page: Page, url: str, *, may_fail: bool, complaints: list[str] | None = None) -> None:
        self.page = page
        self._url = url
        self._may_fail = may_fail
        self.complaints = [] if complaints is None else complaints
        self.foreign_requests: list[str] = []
        self._origin = urlsplit(url).netloc
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda told: self._complain(told.type, told.text))
        page.on("pageerror", lambda error: self._complain("error", str(error)))
        page.on("request", lambda request: self._note(request.url))
        page.goto(url)

    def _complain(self, kind: str, text: str) -> None:
        is_request = any(trouble in text for trouble in FAILED_REQUEST)
        if kind in ("error", "warning") and not (is_request and self._may_fail):
            self.complaints.append(f"{kind}: {text}")

    def _note(self, url: str) -> None:
        if urlsplit(url).netloc != self._origin:
            self.foreign_requests.append(url)

    def waits_for_form(self) -> None:
        """Wait until the server has said whether it offers its catalogue: either form may come."""
        expect(self.page.get_by_text("Looking up the files…", exact=True)).to_be_hidden(timeout=PATIENCE_MS)

    def opens_a_tab(self) -> "Visitor":
        """Open the page once more in this browser."""
        return Visitor(self.page.context.new_page(), self._url, may_fail=self._may_fail, complaints=self.complaints)

    # ── what is done ──────────────────────────────────────────────────────────────────────────────────────────────────

    def type_ids(self, ids: list[int] | str) -> None:
        """Type file ids into the form."""
        self.waits_for_form()
        field = self.page.get_by_label("File ids")
        if not field.is_visible():
            self.page.get_by_text("Type file ids", exact=True).click()
        field.fill(ids if isinstance(ids, str) else " ".join(map(str, ids)))

    def start(self, ids: list[int] | str, *, name: str = "") -> None:
        """Ask for a bundle of these files."""
        self.type_ids(ids)
        if name:
            self.page.get_by_label("Name of the archive").fill(name)
        self.page.get_by_role("button", name="Start download").click()

    def press(self, name: str) -> None:
        """Press a button of the newest job."""
        self.rows.first.get_by_role("button", name=name).click()

    def save(self, directory: Path) -> tuple[str, bytes]:
        """Press Download of the newest job; give the name under which the browser saves the file, and its bytes."""
        with self.page.expect_download() as begun:
            self.press("Download")
        path = directory / "saved"
        begun.value.save_as(path)
        return begun.value.suggested_filename, path.read_bytes()

    # ── what is seen ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def rows(self) -> Locator:
        """The jobs, newest first."""
        return self.page.locator(".waybill-job")

    def sees_state(self, state: str) -> None:
        """Wait until the newest job is in this state."""
        expect(self.rows.first).to_have_attribute("data-state", state, timeout=PATIENCE_MS)

    def sees(self, text: str) -> None:
        """Wait until a text is there to be read."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)

    def progress_percent(self) -> int:
        """Read the newest job's bar; 0 while it has no value."""
        return int(self.rows.first.get_by_role("progressbar").get_attribute("aria-valuenow") or 0)

    def waits_for_progress(self, percent: int) -> None:
        """Wait until the newest job's bar has come so far."""
        bar = ".waybill-job [role=progressbar]"
        script = f"() => Number(document.querySelector('{bar}')?.getAttribute('aria-valuenow')) >= {percent}"
        self.page.wait_for_function(script, timeout=PATIENCE_MS)


@contextlib.contextmanager
def visiting(
    browser: Browser, url: str, *, may_fail: bool = False, script: str = "", **context: Any
) -> Iterator[Visitor]:
    """Open the page; afterwards the console must have been silent, and nobody else been asked for anything.

    `may_fail`: requests may, which Chromium itself writes to the console. `script` runs in each page before any other.
    `context` are a context's own options.
    """
    tab = browser.new_context(accept_downloads=True, **context)
    tab.add_init_script(script)
    try:
        visitor = Visitor(tab.new_page(), url, may_fail=may_fail)
        yield visitor
        assert visitor.complaints == []
        assert visitor.foreign_requests == []
    finally:
        tab.close()
