"""A page of ours that only tests see, shown on a gateway's own origin."""

from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, Route

from deploy.local.page import WEB_DIR
from tests.browser.npm_package import build_page


def show(page: Page, name: str, *, at: str, job_ids: list[str], directory: Path) -> None:
    """Build gateway/web/test/<name>, and open it with these jobs as if the gateway at this address served it."""
    build_page(WEB_DIR / "test" / name, directory, config="vite.page.config.ts")

    def serve(route: Route) -> None:
        file = route.request.url.partition("?")[0].rpartition("/probe/")[2] or "index.html"
        route.fulfill(path=directory / file)

    page.route("**/probe/**", serve)
    page.route("**/assets/**", lambda route: route.fulfill(path=directory / route.request.url.split("/", 3)[3]))
    page.goto(f"{at}/probe/?{urlencode([('job', job_id) for job_id in job_ids])}")
