"""The catalogue by convention: a file's key is a template with its id, and the store knows whether it exists.

template:files/{file_id}              everybody may have every file
template:{owner}/files/{file_id}      each owner has files of their own; those of others cannot even be asked for
"""

import asyncio
import re
import urllib.parse
from collections.abc import Sequence

import structlog

from shared import limits
from shared.errors import CatalogueUnavailable, FilesNotListed, ObjectError, ObjectMissing, SettingsError
from shared.for_each import for_each
from shared.objects.catalogue import MAX_NAME_CHARS, CatalogueFile, FilesPage
from shared.objects.info import check_key
from shared.objects.store import ObjectStore

log = structlog.get_logger(__name__)

# Ids are digits, and owners may begin or end with them.
_TOUCHING = re.compile(r"\{owner\}[0-9]*\{file_id\}|\{file_id\}[0-9]*\{owner\}")
_PLACEHOLDER = re.compile(r"\{[^}]*\}?|\}")


class KeyTemplate:
    """The files of a store whose keys follow a template.

    A file is called as its object's metadata says, else like the last part of its key. Raises SettingsError for a
    template that can make no key.
    """

    def __init__(self, template: str, store: ObjectStore) -> None:
        self._template = template
        self._store = store
        self._refuse_nonsense()
        # For the whole process: many requests at once must not open more connections than one.
        self._turns = asyncio.Semaphore(limits.CATALOGUE_LOOK_UPS_PER_PROCESS)

    async def page(self, owner: str, *, query: str, after: int, limit: int) -> FilesPage:
        """Raise FilesNotListed."""
        raise FilesNotListed("The catalogue is a template of keys, which knows files by their ids alone. Ask for ids.")

    async def run(self) -> None:
        """Return at once: the store is asked each time."""

    async def find(self, file_ids: Sequence[int], owner: str) -> list[CatalogueFile | None]:
        """Ask the store for each file, several at a time, within the catalogue's deadline."""
        found: list[CatalogueFile | None] = [None] * len(file_ids)

        async def look(position: int) -> None:
            async with self._turns:
                found[position] = await self._find_one(file_ids[position], owner)

        try:
            async with asyncio.timeout(limits.CATALOGUE_WITHIN_SECONDS):
                await for_each(range(len(file_ids)), look, at_once=limits.CATALOGUE_LOOK_UPS_AT_ONCE)
        except TimeoutError:
            raise CatalogueUnavailable("The files could not be looked up in time. Try again in a moment.") from None
        return found

    async def _find_one(self, file_id: int, owner: str) -> CatalogueFile | None:
        key = self._key_of(file_id, owner)
        if not _is_key(key):
            return None
        try:
            info = await self._store.head(key)
        except ObjectMissing:
            return None
        except ObjectError as error:
            log.error("catalogue look-up failed", file_id=file_id, key=key, error=error.message)
            raise CatalogueUnavailable("The files cannot be looked up now. Try again in a moment.") from error
        name = info.name or key.rpartition("/")[2]
        return CatalogueFile(file_id, name[:MAX_NAME_CHARS], key, size_bytes=info.size_bytes)

    def _refuse_nonsense(self) -> None:
        setting = f"WAYBILL_CATALOGUE=template:{self._template}"
        strangers = set(_PLACEHOLDER.findall(self._template)) - {"{file_id}", "{owner}"}
        if strangers:
            raise SettingsError([f"{setting}: {min(strangers)} means nothing; there are {{file_id}} and {{owner}}."])
        if _TOUCHING.search(self._template):
            reason = "other owners' files would have the same keys. Put a / between {owner} and {file_id}."
            raise SettingsError([f"{setting}: {reason}"])
        try:
            check_key(self._key_of(1, "local"))
        except ObjectError as error:
            raise SettingsError([f"{setting}: {error.message}"]) from error

    def _key_of(self, file_id: int, owner: str) -> str:
        """Fill the template. The owner becomes one component of the key at most; "." and ".." make no key at all."""
        safe_owner = urllib.parse.quote(owner, safe="")
        return self._template.replace("{file_id}", str(file_id)).replace("{owner}", safe_owner)


def _is_key(key: str) -> bool:
    """Tell whether the store could have it: an owner's name may be too long for one."""
    try:
        check_key(key)
    except ObjectError:
        return False
    return True
