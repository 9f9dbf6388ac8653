"""A page of ours that only tests see, shown on a gateway's own origin."""

from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, Route

from deploy.local.page import WEB_DIR
from tests.browser.npm_package import build_page


def build(name: str, directory: Path) -> Path:
    """Build gateway/web/test/<name> into this directory, which is given back: what takes seconds, so build it first."""
    build_page(WEB_DIR / "test" / name, directory, config="vite.page.config.ts")
    return directory


def show(page: Page, built: Path, *, at: str, job_ids: list[str]) -> None:
    """Open what was built with these jobs, as if the gateway at this address served it."""

    def serve(route: Route) -> None:
        file = route.request.url.partition("?")[0].rpartition("/probe/")[2] or "index.html"
        route.fulfill(path=built / file)

    page.route("**/probe/**", serve)
    page.route("**/assets/**", lambda route: route.fulfill(path=built / route.request.url.split("/", 3)[3]))
    page.goto(f"{at}/probe/?{urlencode([('job', job_id) for job_id in job_ids])}")
