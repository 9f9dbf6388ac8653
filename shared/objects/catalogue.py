"""The catalogue: which files may be bundled, what they are called, where they are kept, and who may have them.

There are several (docs/catalogue.md): a manifest (manifest.py), a template of keys (key_template.py) and a hook
(hook.py); catalogue_choice.py picks one. What follows from an answer is decided here, once for all of them.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple, Protocol, runtime_checkable

import msgspec
from msgspec import Meta

from shared.caller_errors import FilesForbidden
from shared.errors import UnknownFiles
from shared.jobs import FileId
from shared.objects.info import MAX_KEY_BYTES

MAX_NAME_CHARS = 1_024
MAX_LISTED = 20  # ids or problems named in one message


class CatalogueFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file that may be bundled: its id for callers, its own name, and the key of its source object.

    `owners` are those who may have it; None means everybody, an empty list nobody. `size_bytes`
    is for estimates alone: what the source really has is asked of the store when the job runs. None: nobody said it.
    """

    file_id: FileId
    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]
    key: Annotated[str, Meta(min_length=1, max_length=MAX_KEY_BYTES)]
    owners: tuple[Annotated[str, Meta(min_length=1)], ...] | None = None
    size_bytes: Annotated[int, Meta(ge=0)] | None = None

    def is_for(self, owner: str) -> bool:
        """Tell whether this owner may have the file."""
        return self.owners is None or owner in self.owners


class FilesPage(NamedTuple):
    """Some of the files that an owner may have, by id; `next_after`: the id to go on behind, None at the end."""

    files: tuple[CatalogueFile, ...]
    next_after: int | None


@runtime_checkable  # Litestar checks what it injects with isinstance
class Catalogue(Protocol):
    """Whatever knows files by their ids."""

    async def find(self, file_ids: Sequence[int], owner: str) -> Sequence[CatalogueFile | None]:
        """Give the file of each id, in this order, and None for an id without one.

        A file that the owner may not have is given too, with its owners. Raises CatalogueUnavailable.
        """
        ...

    async def page(self, owner: str, *, query: str, after: int, limit: int) -> FilesPage:
        """List files that the owner may have, with ids above `after`, whose name or id has `query` in it.

        A page may be shorter than `limit`, or empty, and not the last. Raises FilesNotListed where the catalogue
        knows files by their ids alone.
        """
        ...

    async def run(self) -> None:
        """Do what keeps the catalogue up to date, until cancelled; returns at once when there is nothing to do."""
        ...


class Selection(NamedTuple):
    """The files of a request that its owner may have, in the order asked, and the ids that name none."""

    files: tuple[CatalogueFile, ...]
    unknown: tuple[int, ...]


async def select(catalogue: Catalogue, file_ids: Sequence[int], owner: str) -> Selection:
    """Look up what an owner asks for.

    Raises FilesForbidden with all ids that the owner may not have, and CatalogueUnavailable.
    """
    found = dict(zip(file_ids, await catalogue.find(file_ids, owner), strict=True))
    forbidden = [file_id for file_id, file in found.items() if file and not file.is_for(owner)]
    if forbidden:
        raise FilesForbidden(_about_forbidden(forbidden), file_ids=forbidden)
    return Selection(
        files=tuple(file for file in found.values() if file),
        unknown=tuple(file_id for file_id, file in found.items() if file is None),
    )


def unknown_files(file_ids: Sequence[int], *, is_some: bool = True) -> UnknownFiles:
    """Say that the catalogue does not have these ids; the sentence names the first 20.

    `is_some`: others of the request are known, so that leaving these out helps.
    """
    count, them = ("1 file id is", "it") if len(file_ids) == 1 else (f"{len(file_ids):,} file ids are", "them")
    advice = f"Leave {them} out and ask again." if is_some else "There is nothing else to bundle: check the ids."
    sentence = f"{count} not in the catalogue: {list_ids(file_ids)}. {advice}"
    return UnknownFiles(sentence, file_ids=file_ids)


def list_ids(file_ids: Sequence[int]) -> str:
    """Write ids for people: at most 20 of them, and how many more there are."""
    more = f" and {len(file_ids) - MAX_LISTED:,} more" if len(file_ids) > MAX_LISTED else ""
    return ", ".join(map(str, file_ids[:MAX_LISTED])) + more


def _about_forbidden(file_ids: Sequence[int]) -> str:
    which = "1 file belongs" if len(file_ids) == 1 else f"{len(file_ids):,} files belong"
    them = "it" if len(file_ids) == 1 else "them"
    return f"{which} to somebody else: {list_ids(file_ids)}. Leave {them} out and ask again."
