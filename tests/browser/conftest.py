"""The built page, a Chromium, and a system behind it."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from deploy.local.errors import LocalSetupError
from deploy.local.page import ensure_built
from tests.support.system import System
from tests.support.tools import missing, require_tool

PLAIN_HOST = "waybill.test"
"""This machine under a name that browsers do not trust without TLS, as they do 127.0.0.1."""
OPTIONS = (
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
"""Nothing but this machine is asked for anything."""


@pytest.fixture(scope="session", autouse=True)
def built_page() -> None:
    """The page, as its sources are now."""
    try:
        ensure_built()
    except LocalSetupError as problem:
        missing(str(problem))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of the distribution. A module's own: its driver's event loop would be in other tests' way."""
    path = require_tool("chromium")
    # Chromium's own sandbox does not work for root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=[*OPTIONS, *sandbox])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway that lists its files, and a processor with room for many jobs."""
    settings = {"WAYBILL_SLOTS": "8", "WAYBILL_LIST_FILES": "true"}
    with System(tmp_path_factory.mktemp("page"), settings=settings) as running:
        yield running
