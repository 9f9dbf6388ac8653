"""The catalogue in somebody's own code: what a hook may do, and what its misconduct costs."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from shared import limits
from shared.errors import CatalogueUnavailable, SettingsError
from shared.objects.catalogue import CatalogueFile
from shared.objects.hook import Hook

HEAD = "from shared.objects.catalogue import CatalogueFile\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Write the module `my_files`, which the next load imports."""
    monkeypatch.syspath_prepend(tmp_path)

    def written(text: str) -> None:
        (tmp_path / "my_files.py").write_text(HEAD + text, encoding="utf-8")

    yield written
    sys.modules.pop("my_files", None)


@pytest.mark.parametrize(
    "text",
    [
        "async def find(ids, owner):\n    return [CatalogueFile(i, owner, f'k/{i}') if i > 1 else None for i in ids]",
        "def find(ids, owner):\n    return [CatalogueFile(i, owner, f'k/{i}') if i > 1 else None for i in ids]",
        "class Finder:\n    async def __call__(self, ids, owner):\n"
        "        return tuple(CatalogueFile(i, owner, f'k/{i}') if i > 1 else None for i in ids)\nfind = Finder()",
        "async def inner(ids, owner):\n    return [None, CatalogueFile(2, owner, 'k/2')]\n"
        "def find(ids, owner):\n    return inner(ids, owner)",
    ],
    ids=["async", "sync", "object", "sync that gives an awaitable"],
)
async def test_a_hook_is_asked_with_ids_and_owner(write: Callable[[str], None], text: str) -> None:
    write(text)

    assert await Hook.load("my_files:find").find((1, 2), "alice") == [None, CatalogueFile(2, "alice", "k/2")]


@pytest.mark.parametrize(
    ("text", "reference", "problem"),
    [
        ("", "no_such_module:find", "there is no module no_such_module. Install it, or set PYTHONPATH"),
        ("", "my_files.sub:find", "there is no module my_files"),
        ("", "my_files:find", "the module my_files has no find."),
        ("find = 3", "my_files:find", "find is no function"),
        ("def find(ids): ...", "my_files:find", "cannot be called with (file_ids, owner): too many positional"),
        ("async def find(ids, owner, db): ...", "my_files:find", "missing a required argument: 'db'"),
        ("import not_installed_here", "my_files:find", "cannot be imported: ModuleNotFoundError: No module named"),
        ("\nraise OSError('no database')", "my_files:find", "OSError: no database"),
        ("def find(:", "my_files:find", "SyntaxError"),
    ],
)
def test_a_hook_that_cannot_be_loaded_is_told_with_its_setting(
    write: Callable[[str], None], text: str, reference: str, problem: str
) -> None:
    write(text)

    with pytest.raises(SettingsError) as caught:
        Hook.load(reference)

    assert caught.value.message.startswith(f"WAYBILL_CATALOGUE=hook:{reference}: ")
    assert problem in caught.value.message
    assert "\n" not in caught.value.message


FAILURES = [
    "async def find(ids, owner):\n    raise LookupError('secret of file 70001')",
    "def find(ids, owner):\n    raise LookupError('secret of file 70001')",
    "def find(ids, owner):\n    raise SystemExit('secret')",
    "def find(ids, owner):\n    raise StopIteration('secret')",
    "def find(ids, owner):\n    return None",
    "def find(ids, owner):\n    return []",
    "def find(ids, owner):\n    return ['secret']",
    "def find(ids, owner):\n    return [CatalogueFile(5, 'secret', 'k')]",
    "def find(ids, owner):\n    return [CatalogueFile(70001, 'secret', '../k')]",
    "def find(ids, owner):\n    return [CatalogueFile(70001, None, 'k')]",
    "def find(ids, owner):\n    return [CatalogueFile(70001, 'secret', 'k', 'alice')]",
    "async def find(ids, owner):\n    raise TimeoutError('secret')",
    "async def find(ids, owner):\n    raise SystemExit('secret')",
    "async def find(ids, owner):\n    raise KeyboardInterrupt",
    "async def inner():\n    raise SystemExit('secret')\ndef find(ids, owner):\n    return inner()",
]


@pytest.mark.parametrize("text", FAILURES)
async def test_a_hook_that_fails_is_told_in_the_log_only(write: Callable[[str], None], text: str) -> None:
    write(text)
    hook = Hook.load("my_files:find")

    with structlog.testing.capture_logs() as logs, pytest.raises(CatalogueUnavailable) as caught:
        await hook.find([70001], "alice")

    assert caught.value.message == "The catalogue cannot be asked now. Try again in a moment."
    assert [entry["event"] for entry in logs] == ["catalogue hook failed"]
    assert logs[0]["exc_info"]


async def test_a_hook_that_waits_is_cancelled_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CATALOGUE_WITHIN_SECONDS", 0.05)
    cancelled = asyncio.Event()

    async def find(_: list[int], __: str) -> list[CatalogueFile | None]:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    with pytest.raises(CatalogueUnavailable):
        await Hook(find).find([1], "alice")

    assert cancelled.is_set()


async def test_hooks_that_hang_hold_a_few_threads_and_give_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CATALOGUE_WITHIN_SECONDS", 0.2)
    let_go = threading.Event()
    calls: list[int] = []

    def find(file_ids: list[int], _: str) -> list[CatalogueFile | None]:
        calls.extend(file_ids)
        let_go.wait()
        return [None]

    hook = Hook(find)
    ended = await asyncio.gather(*(hook.find([number], "alice") for number in range(30)), return_exceptions=True)
    asked_meanwhile = len(calls)
    let_go.set()

    assert all(isinstance(one, CatalogueUnavailable) for one in ended)
    assert asked_meanwhile == limits.CATALOGUE_HOOK_THREADS
    monkeypatch.setattr(limits, "CATALOGUE_WITHIN_SECONDS", 60)
    assert await hook.find([99], "alice") == [None]


async def test_a_hook_whose_thread_cannot_start_costs_no_later_one_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    hook = Hook(lambda _, __: [None])
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_room)
        for _ in range(limits.CATALOGUE_HOOK_THREADS):
            with pytest.raises(CatalogueUnavailable):
                await hook.find([1], "alice")

    monkeypatch.setattr(limits, "CATALOGUE_WITHIN_SECONDS", 5.0)
    assert await hook.find([1], "alice") == [None]
