"""Each Lua script of the job store says in its head what it takes and what it answers."""

import re
from collections.abc import Iterator
from itertools import takewhile

import pytest

from shared import limits
from tests.architecture.source_tree import ROOT, assert_none

SCRIPTS = ROOT / "shared/jobstore/scripts"
SHEBANG = "#!lua"
HEAD_WORDS = ("KEYS", "ARGV", "Reply")


def headless(name: str, text: str) -> Iterator[str]:
    """What is missing in a script's head."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith(SHEBANG):
        yield f"{name} does not begin with {SHEBANG}"
    head = list(takewhile(lambda line: line.startswith("--"), lines[1:]))
    for word in HEAD_WORDS:
        if not any(word.lower() in line.lower() for line in head):
            yield f"{name} does not name {word} in the comment at its head"


def unexplained(name: str, text: str) -> Iterator[str]:
    """Text shared by scripts that does not begin with what it is for."""
    if not text.startswith("-- "):
        yield f"{name} does not begin with a comment that says what it is for"


def test_scripts_say_their_keys_arguments_and_reply() -> None:
    scripts = sorted(SCRIPTS.glob("*.lua"))

    assert scripts, f"no Lua script in {SCRIPTS}"
    assert_none([sentence for path in scripts for sentence in headless(path.name, path.read_text(encoding="utf-8"))])


def test_shared_script_text_says_what_it_is_for() -> None:
    shared = sorted((SCRIPTS / "shared").glob("*.lua"))

    assert_none([sentence for path in shared for sentence in unexplained(path.name, path.read_text(encoding="utf-8"))])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("claim.lua", ""),
        ("claim.lua", "-- KEYS 1 record\n-- ARGV 1 token\n-- reply OK\nreturn 1"),
        ("claim.lua", "#!lua\n-- KEYS 1 record\n-- reply OK\nreturn 1"),
        ("claim.lua", "#!lua\n-- KEYS 1 record\n-- ARGV 1 token\nlocal x = 1\n-- reply OK"),
    ],
)
def test_a_script_without_its_head_is_seen(name: str, text: str) -> None:
    assert list(headless(name, text))


def test_unexplained_shared_text_is_seen() -> None:
    assert list(unexplained("fence.lua", "local function fence() end"))


@pytest.mark.parametrize(
    ("path", "pattern", "bound"),
    [
        ("shared/log.lua", r"'XADD', KEYS\[2\], 'MAXLEN', '~', (\d+)", limits.MAX_LOG_EVENTS),
        ("shared/letter.lua", r"'XADD', KEYS\[4\], 'MAXLEN', '~', (\d+)", limits.MAX_DEAD_LETTERS),
        ("settle_callback.lua", r"'XADD', KEYS\[12\], 'MAXLEN', '~', (\d+)", limits.MAX_DEAD_CALLBACKS),
        ("shared/callback.lua", r"local KEPT_MS = (\d+)", limits.CALLBACK_KEPT_MS),
        ("shared/outbox.lua", r"local MOST_SETTLED = (\d+)", limits.CALLBACK_ENDS_KEPT),
        ("shared/terminal.lua", r"'XREVRANGE', KEYS\[2\], '\+', '-', 'COUNT', (\d+)", limits.DEAD_LETTER_EVENTS),
    ],
)
def test_a_bound_that_a_script_holds_is_that_of_limits(path: str, pattern: str, bound: int) -> None:
    """In the script and no argument: four operations would have to hand them through."""
    found = re.findall(pattern, (SCRIPTS / path).read_text(encoding="utf-8"))

    assert found == [str(bound)]
