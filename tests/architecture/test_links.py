"""Every link of the documentation leads to a file of the repository, and to a heading that is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, assert_none, tracked_files

LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
CHAPTERS = ROOT / "gateway" / "contract" / "chapters"
"""Parts of docs/api.md, which is looked at where they are one page."""
PAGES = [path for path in tracked_files() if path.suffix == ".md" and path.parent != CHAPTERS]


def anchors_of(text: str) -> set[str]:
    """Give the anchors that GitHub makes of a page's headings: small letters and `-`, numbered where they repeat."""
    seen: dict[str, int] = {}
    anchors = set()
    for heading in HEADING.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        times = seen[anchor] = seen.get(anchor, -1) + 1
        anchors.add(f"{anchor}-{times}" if times else anchor)
    return anchors


def dead_links(page: Path, text: str) -> Iterator[str]:
    """Links of a page whose file or heading is not there."""
    for target, anchor in LINK.findall(CODE.sub("", text)):
        there = page.parent / target if target else page
        if not there.exists():
            yield f"{page.relative_to(ROOT)} links to {target}, which is not there"
        elif anchor and there.suffix == ".md":
            known = anchors_of(text if there == page else there.read_text(encoding="utf-8"))
            if anchor not in known:
                yield f"{page.relative_to(ROOT)} links to {target}#{anchor}, which is no heading there"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    assert_none(dead_links(page, page.read_text(encoding="utf-8")))


def test_there_are_pages_with_links() -> None:
    linked = [path for path in PAGES if LINK.search(path.read_text(encoding="utf-8"))]

    assert len(linked) > 10


@pytest.mark.parametrize("link", ["[x](nowhere.md)", "[x](docs/redis.md#nothing)", "[x](#nothing)"])
def test_a_dead_link_is_seen(link: str) -> None:
    assert list(dead_links(ROOT / "README.md", f"# Something\n\n{link}\n"))


@pytest.mark.parametrize("link", ["[x](#twice-1)", "[x](#a-new-rediss-word)", "`[x](nowhere.md)`"])
def test_a_link_that_leads_somewhere_is_let_be(link: str) -> None:
    assert not list(dead_links(ROOT / "README.md", f"# Twice\n\n## Twice\n\n## A `new` Redis's word\n\n{link}\n"))
