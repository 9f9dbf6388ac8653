"""The page's files over HTTP: how long they are kept, what the browser may do, and what is there without a build."""

import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.di import Provide

from gateway.page_files import PageFiles
from gateway.routes.page import CONTENT_SECURITY_POLICY, show_asset, show_icon, show_page, takes_gzip

# The gateway's handlers declare their parameters as Litestar 2 does; it announces the style of Litestar 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
SCRIPT = b"export {};\n" * 100


@pytest.fixture
def built_dir(tmp_path: Path) -> Path:
    """Where the build is, or will be."""
    return tmp_path / "page"


@pytest_asyncio.fixture
async def browser(built_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever asks for the page."""
    files = PageFiles(built_dir)
    app = Litestar(
        [show_page, show_icon, show_asset],
        dependencies={"page_files": Provide(lambda: files, sync_to_thread=False)},
        openapi_config=None,
    )
    transport = httpx.ASGITransport(cast(Any, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


def build(directory: Path, title: str = "first") -> None:
    """Leave what a build leaves."""
    (directory / "assets").mkdir(parents=True, exist_ok=True)
    (directory / "index.html").write_text(f"<!doctype html><title>{title}</title>", encoding="utf-8")
    (directory / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    (directory / "assets" / "page-1a2b.js").write_bytes(SCRIPT)
    (directory / "assets" / "notes.txt").write_text("not part of the page", encoding="utf-8")


async def test_the_page_is_asked_for_each_time_and_may_use_this_server_alone(
    browser: httpx.AsyncClient, built_dir: Path
) -> None:
    build(built_dir)

    page = await browser.get("/")
    again = await browser.get("/", headers={"If-None-Match": page.headers["etag"]})

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert (again.status_code, again.content) == (304, b"")


async def test_a_hashed_file_is_kept_for_ever_and_travels_compressed(
    browser: httpx.AsyncClient, built_dir: Path
) -> None:
    build(built_dir)

    plain = await browser.get("/assets/page-1a2b.js", headers={"Accept-Encoding": "identity"})
    packed = await browser.get("/assets/page-1a2b.js", headers={"Accept-Encoding": "gzip, br"})
    head = await browser.head("/assets/page-1a2b.js", headers={"Accept-Encoding": "gzip"})

    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.content == packed.content == SCRIPT  # the client unpacks
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["etag"] != packed.headers["etag"]
    assert head.headers["content-length"] == str(len(gzip.compress(SCRIPT, mtime=0)))


async def test_what_is_no_file_of_the_page_is_not_there(browser: httpx.AsyncClient, built_dir: Path) -> None:
    build(built_dir)

    for path in ("/assets/nothing.js", "/assets/notes.txt", "/assets/..%2Findex.html"):
        assert (await browser.get(path)).status_code == 404, path


async def test_without_a_build_a_plain_page_explains_and_looks_again_until_there_is_one(
    browser: httpx.AsyncClient, built_dir: Path
) -> None:
    plain = await browser.get("/")
    build(built_dir)
    built = await browser.get("/")

    assert "make page" in plain.text
    assert (plain.headers["refresh"], plain.headers["cache-control"]) == ("3", "no-store")
    assert "<title>first" in built.text
    assert "refresh" not in built.headers


async def test_a_new_build_is_served_without_a_restart(browser: httpx.AsyncClient, built_dir: Path) -> None:
    build(built_dir)
    before = await browser.get("/")

    build(built_dir, "second")
    os.utime(built_dir / "index.html", ns=(1, 1))  # file systems' clocks are coarse
    after = await browser.get("/")

    assert "<title>second" in after.text
    assert before.headers["etag"] != after.headers["etag"]


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, False),
        ("", False),
        ("br", False),
        ("gzip", True),
        ("GZIP;q=0.5, br", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br, *", True),
    ],
)
def test_gzip_is_sent_to_who_takes_it(header: str | None, wanted: bool) -> None:
    assert takes_gzip(header) is wanted
