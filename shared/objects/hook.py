"""The catalogue in somebody's own code: `hook:module:name`, a Python callable that may block or be async.

    async def find(file_ids: list[int], owner: str) -> list[CatalogueFile | None]

Its code is trusted, its conduct is not: it has a deadline, a few threads, and its answer is checked. What it raises
goes to the log and never to a caller.
"""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog

from shared import limits
from shared.errors import CatalogueUnavailable, FilesNotListed
from shared.foreign_code import is_async, resolve
from shared.objects.catalogue import CatalogueFile, FilesPage
from shared.objects.info import check_key
from shared.objects.threads import in_daemon_thread

log = structlog.get_logger(__name__)

Find = Callable[[list[int], str], Any]


class Hook:
    """A callable as a catalogue."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._is_async = is_async(find)
        self._threads = asyncio.Semaphore(limits.CATALOGUE_HOOK_THREADS)

    @classmethod
    def load(cls, reference: str) -> "Hook":
        """Import the callable that `module:name` names. Raises SettingsError that says what is wrong with it."""
        setting = f"WAYBILL_CATALOGUE=hook:{reference}"
        return cls(resolve(reference, setting=setting, takes=("file_ids", "owner"), must_be_async=False))

    async def page(self, owner: str, *, query: str, after: int, limit: int) -> FilesPage:
        """Raise FilesNotListed."""
        raise FilesNotListed("The catalogue is a hook, which knows files by their ids alone. Ask for ids.")

    async def run(self) -> None:
        """Return at once: the hook is asked each time."""

    async def find(self, file_ids: Sequence[int], owner: str) -> list[CatalogueFile | None]:
        """Ask the hook, within the catalogue's deadline, and check what it says."""
        try:
            async with asyncio.timeout(limits.CATALOGUE_WITHIN_SECONDS):
                answer = await self._ask(list(file_ids), owner)
            return _checked(answer, file_ids)
        except TimeoutError as error:
            log.error("catalogue hook failed", reason="not in time", exc_info=error)
        except (asyncio.CancelledError, GeneratorExit):  # the request is given up
            raise
        except (
            BaseException
        ) as error:  # the hook is not ours: whatever it raises, sys.exit too, is told here and ends here
            log.error("catalogue hook failed", reason=type(error).__name__, exc_info=error)
        raise CatalogueUnavailable("The catalogue cannot be asked now. Try again in a moment.")

    async def _ask(self, file_ids: list[int], owner: str) -> Any:
        answer = self._find(file_ids, owner) if self._is_async else await self._in_own_thread(file_ids, owner)
        return await answer if inspect.isawaitable(answer) else answer

    async def _in_own_thread(self, file_ids: list[int], owner: str) -> Any:
        """Call a hook that blocks. Its thread is left behind at the deadline, and counts until it has ended."""
        await self._threads.acquire()
        call = partial(self._find, file_ids, owner)
        return await in_daemon_thread(call, name="catalogue-hook", ended=self._threads.release)


def _checked(answer: Any, file_ids: Sequence[int]) -> list[CatalogueFile | None]:
    """Insist on one answer for each id, in the order asked. Raises ValueError, or what is wrong with a file."""
    if not isinstance(answer, list | tuple) or len(answer) != len(file_ids):
        raise ValueError(f"the hook must give a list of {len(file_ids)} files or None, one for each id")
    return [
        None if file is None else _checked_file(file, wanted) for file, wanted in zip(answer, file_ids, strict=True)
    ]


def _checked_file(file: Any, file_id: int) -> CatalogueFile:
    if not isinstance(file, CatalogueFile) or file.file_id != file_id:
        raise ValueError(f"the hook must give a CatalogueFile with file_id {file_id}, or None, in this place")
    check_key(file.key)
    return msgspec.convert(msgspec.to_builtins(file), CatalogueFile)  # whoever makes a struct in Python is not checked
