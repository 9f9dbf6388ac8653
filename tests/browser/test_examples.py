"""The examples of docs/, as somebody runs who copies them: they start, follow and fetch a real job."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from deploy.local.page import WEB_DIR
from deploy.local.tether import tethered
from tests.browser.npm_package import build_package, node_tools
from tests.browser.visitor import PATIENCE_MS, visiting
from tests.support import cargo
from tests.support.local_http import local_client
from tests.support.ports import free_ports
from tests.support.system import System
from tests.support.waiting import PATIENCE_SECONDS, until

EXAMPLES = WEB_DIR.parents[1] / "docs" / "examples"


@pytest.fixture(scope="module")
def package() -> Path:
    """The npm package, built."""
    return build_package()


@pytest.fixture
def react_app(package: Path, system: System, tmp_path: Path) -> Iterator[str]:
    """The React example on Vite's development server, as `npm run dev` shows it; its address."""
    app_dir = tmp_path / "app"
    (app_dir / "node_modules").mkdir(parents=True)
    for file in (EXAMPLES / "react").iterdir():
        (app_dir / file.name).write_bytes(file.read_bytes())
    for name in ("react", "react-dom", "scheduler", "vite", "@vitejs"):
        (app_dir / "node_modules" / name).symlink_to(package / "node_modules" / name)
    (app_dir / "node_modules" / "waybill").symlink_to(package)
    [port] = free_ports(1)
    vite = package / "node_modules" / "vite" / "bin" / "vite.js"
    command = [node_tools().node, str(vite), "--host", "127.0.0.1", "--port", str(port), "--strictPort"]
    environment = os.environ | {"WAYBILL_URL": system.url}
    with (tmp_path / "vite.log").open("wb") as log:
        process = subprocess.Popen(tethered(command), cwd=app_dir, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/"
    try:
        until(lambda: process.poll() is not None or _answers(url), "Vite answers")
        assert process.poll() is None, (tmp_path / "vite.log").read_text(encoding="utf-8")
        yield url
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)


def _answers(url: str) -> bool:
    with local_client() as client, contextlib.suppress(httpx.TransportError):
        return client.get(url).status_code == 200
    return False


def test_native_eventsource_in_fifteen_lines_follows_a_job_and_fetches_its_archive(
    browser: Browser, system: System, tmp_path: Path
) -> None:
    text = (EXAMPLES / "eventsource.html").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 15

    tab = browser.new_context(accept_downloads=True)
    page = tab.new_page()
    page.route("**/example.html", lambda route: route.fulfill(body=text, content_type="text/html"))
    with page.expect_download(timeout=PATIENCE_MS) as begun:
        page.goto(f"{system.url}/example.html")
    begun.value.save_as(tmp_path / "bundle.zip")
    tab.close()

    assert (tmp_path / "bundle.zip").stat().st_size > sum(len(file.content) for file in cargo.MIXED[:3])


def test_the_react_example_runs_in_strict_mode_from_the_built_package(browser: Browser, react_app: str) -> None:
    with visiting(browser, react_app) as visitor:
        visitor.page.get_by_role("button", name="Download all reports").click()
        visitor.sees_state("completed")
        visitor.sees("Ready: reports.zip")
        visitor.sees("The newest one has")
        expect(visitor.rows).to_have_count(1)
