"""A page as it looks, judged by axe-core.

With WAYBILL_SCREENSHOTS=<directory> what is judged is also left there as pictures, to be looked at.
"""

import os
from pathlib import Path

from playwright.sync_api import Page

from deploy.local.page import WEB_DIR

WORST = ("serious", "critical")


def judge(page: Page, name: str) -> None:
    """Let axe-core look at the page as it is; fails with what is serious or critical."""
    if directory := os.environ.get("WAYBILL_SCREENSHOTS"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)
    page.evaluate((WEB_DIR / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    bad = [
        f"{rule['id']}: {node['html'][:150]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
        if rule["impact"] in WORST
    ]
    assert bad == [], "\n".join(bad)
