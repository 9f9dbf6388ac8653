"""When the page is built anew, with which Node.js, and what is said when it cannot be."""

import os
from pathlib import Path

import pytest

from deploy.local.page import ensure_built, is_new_enough, last_words, stamp_of


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("v20.19.0", True),
        ("v20.20.2\n", True),
        ("v20.18.9", False),
        ("v18.99.0", False),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.1.0", True),
        ("", False),
        ("20.19.0", False),
    ],
)
def test_vite_is_given_a_node_that_it_runs_on(version: str, wanted: bool) -> None:
    assert is_new_enough(version) is wanted


@pytest.fixture
def web_dir(tmp_path: Path) -> Path:
    """Sources of a page, whose lock names a package that is nowhere."""
    (tmp_path / "src").mkdir()
    (tmp_path / "public").mkdir()
    for name in ("index.html", "vite.page.config.ts", "package-lock.json", "src/main.ts"):
        (tmp_path / name).write_text("first", encoding="utf-8")
    (tmp_path / "package.json").write_text('{"name": "page"}', encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", ["src/main.ts", "src/new.css", "package-lock.json", "index.html"])
def test_each_source_and_the_lock_ask_for_another_build(web_dir: Path, name: str) -> None:
    before = stamp_of(web_dir)
    (web_dir / name).write_text("second", encoding="utf-8")

    assert stamp_of(web_dir) != before


def test_a_file_that_is_moved_asks_for_another_build(web_dir: Path) -> None:
    before = stamp_of(web_dir)
    (web_dir / "src" / "main.ts").rename(web_dir / "src" / "other.ts")

    assert stamp_of(web_dir) != before


def test_what_the_build_leaves_does_not(web_dir: Path) -> None:
    before = stamp_of(web_dir)
    (web_dir / "dist").mkdir()
    (web_dir / "dist" / "page.stamp").write_text("left", encoding="utf-8")
    os.utime(web_dir / "src" / "main.ts", (1, 1))

    assert stamp_of(web_dir) == before


def test_a_build_that_is_there_is_left_alone(web_dir: Path) -> None:
    (web_dir / "dist" / "page").mkdir(parents=True)
    (web_dir / "dist" / "page" / "index.html").write_text("built", encoding="utf-8")
    (web_dir / "dist" / "page.stamp").write_text(stamp_of(web_dir), encoding="utf-8")

    assert ensure_built(web_dir) is False


def test_the_last_words_of_a_program_are_one_short_line() -> None:
    npm = "npm error code ECONNREFUSED\nnpm error request failed, reason: refused\nnpm error A complete log"
    assert last_words(npm) == "npm error request failed, reason: refused"
    assert last_words("a\n\n b \nc\nd\n") == "b c d"
    assert len(last_words("x" * 10_000)) == 300
    assert last_words("\n") == "without a word"
