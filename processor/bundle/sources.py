"""The files that a job asked for: are they all there, how large, and what is their CRC-32."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

import msgspec

from processor.bundle.crc import crc32_of
from processor.bundle.plan import SourceFile
from processor.bundle.tally import Tally
from shared.errors import (
    ObjectArchived,
    ObjectChanged,
    ObjectError,
    ObjectForbidden,
    ObjectMissing,
    RetryableRunError,
    RunError,
    SourceArchived,
    SourceChanged,
    SourceForbidden,
    SourceMissing,
)
from shared.for_each import for_each
from shared.objects.catalogue import CatalogueFile, list_ids
from shared.objects.info import ObjectInfo
from shared.objects.store import ObjectStore

LOOK_UPS_AT_ONCE = 16
CHECKS_AT_ONCE = 2  # one reads while the other computes; each holds 4 MiB


class FoundFile(msgspec.Struct, frozen=True):
    """A file of the catalogue together with its object."""

    file: CatalogueFile
    info: ObjectInfo


class LookUp(NamedTuple):
    """What the store has of the files of a job, and what it has not; each in the order asked."""

    found: list[FoundFile]
    missing: list[CatalogueFile]


async def look_up(files: Sequence[CatalogueFile], store: ObjectStore) -> LookUp:
    """Find the objects of all files. Raises RetryableRunError for the first one that the store cannot give now."""
    infos: dict[int, ObjectInfo] = {}

    async def look(position: int) -> None:
        file = files[position]
        with naming(file), suppress(ObjectMissing):
            infos[position] = await store.head(file.key)

    await for_each(range(len(files)), look, at_once=LOOK_UPS_AT_ONCE)
    return LookUp(
        found=[FoundFile(file, infos[position]) for position, file in enumerate(files) if position in infos],
        missing=[file for position, file in enumerate(files) if position not in infos],
    )


async def check(found: Sequence[FoundFile], store: ObjectStore, tally: Tally) -> list[SourceFile]:
    """Read all files for their CRC-32, and give what a plan needs, in the same order.

    Raises SourceChanged for the first file that is not what it was when it was looked up.
    """
    crcs: dict[int, int] = {}

    async def read(position: int) -> None:
        file, info = found[position].file, found[position].info
        with naming(file):
            crcs[position] = await crc32_of(store, info, tally.read)
        tally.checked()

    await for_each(range(len(found)), read, at_once=CHECKS_AT_ONCE)
    return [_source(one, crcs[position]) for position, one in enumerate(found)]


async def insist_on_unchanged(sources: Sequence[SourceFile], store: ObjectStore) -> None:
    """Check that files are still what they were when they were looked up, without reading them.

    Raises SourceChanged for the first one that is not.
    """

    async def compare(source: SourceFile) -> None:
        with naming(source):
            info = await store.head(source.key)
        if info.etag != source.etag:
            raise changed_file(source)

    await for_each(sources, compare, at_once=LOOK_UPS_AT_ONCE)


@contextmanager
def naming(file: CatalogueFile | SourceFile) -> Iterator[None]:
    """Turn what the store says about an object into what the run says about a file, with its id and name.

    Raises SourceChanged, also when the object went away: the next run's plan knows whether it is gone, or was only
    being replaced. Raises SourceArchived, SourceForbidden, or RetryableRunError when the store cannot give the object
    now.
    """
    try:
        yield
    except ObjectMissing as error:
        raise vanished_file(file) from error
    except ObjectChanged as error:
        raise changed_file(file) from error
    except ObjectError as error:
        kind: type[RunError] = RetryableRunError
        if isinstance(error, ObjectArchived):
            kind = SourceArchived
        elif isinstance(error, ObjectForbidden):
            kind = SourceForbidden
        sentence = f"File {file.file_id} ({file.name}) cannot be read: {error.message}"
        raise kind(sentence, file_ids=[file.file_id]) from error


def missing_files(file_ids: Sequence[int]) -> SourceMissing:
    """Say that these files do not exist; the sentence names the first 20."""
    which = "1 file does" if len(file_ids) == 1 else f"{len(file_ids):,} files do"
    return SourceMissing(
        f"{which} not exist any more: {list_ids(file_ids)}. Ask for the others again.", file_ids=file_ids
    )


def changed_file(file: CatalogueFile | SourceFile) -> SourceChanged:
    """Say that this file changed while it was bundled."""
    return SourceChanged(f"File {file.file_id} ({file.name}) changed while it was bundled.", file_ids=[file.file_id])


def vanished_file(file: CatalogueFile | SourceFile) -> SourceChanged:
    """Say that this file was there, and went away while it was bundled."""
    return SourceChanged(f"File {file.file_id} ({file.name}) went away while it was bundled.", file_ids=[file.file_id])


def _source(found: FoundFile, crc32: int) -> SourceFile:
    return SourceFile(
        file_id=found.file.file_id,
        key=found.info.key,
        name=found.file.name,
        size_bytes=found.info.size_bytes,
        etag=found.info.etag,
        modified_at_ms=found.info.modified_at_ms,
        crc32=crc32,
    )
