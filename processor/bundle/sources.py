"""The files that a job asked for: are they all there, how large, and what is their CRC-32."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from processor.bundle.crc import BUFFER_BYTES, crc32s_of
from processor.bundle.plan import SourceFile
from processor.bundle.tally import Tally
from shared.batches import batches
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
from shared.jobs import SkippedFile, SkipReason
from shared.objects.catalogue import CatalogueFile, list_ids
from shared.objects.info import ObjectInfo
from shared.objects.store import ObjectStore

CHECKS_AT_ONCE = 2  # batches: one reads while the other computes; each holds 4 MiB


class FoundFile(msgspec.Struct, frozen=True):
    """A file of the catalogue together with its object."""

    file: CatalogueFile
    info: ObjectInfo

    @property
    def unread_bytes(self) -> int:
        """How many bytes are to be read for its CRC-32."""
        return self.info.size_bytes if self.info.crc32 is None else 0


class LookUp(NamedTuple):
    """What the store has of the files of a job, and what it has not; each in the order asked."""

    found: list[FoundFile]
    missing: list[CatalogueFile]


async def look_up(files: Sequence[CatalogueFile], store: ObjectStore) -> LookUp:
    """Find the objects of all files. Raises RetryableRunError for the first one that the store cannot give now."""
    with naming(files):
        infos = await store.head_many([file.key for file in files])
    return LookUp(
        found=[FoundFile(file, info) for file, info in zip(files, infos, strict=True) if info],
        missing=[file for file, info in zip(files, infos, strict=True) if not info],
    )


async def check(found: Sequence[FoundFile], store: ObjectStore, tally: Tally) -> list[SourceFile]:
    """Read all files for their CRC-32, and give what a plan needs, in the same order.

    Raises SourceChanged for the first file that is not what it was when it was looked up.
    """
    crcs: dict[int, int] = {}

    async def read(positions: Sequence[int]) -> None:
        batch = [found[position] for position in positions]
        with naming([one.file for one in batch]):
            crc32s = await crc32s_of(store, [one.info for one in batch], tally.read)
        crcs.update(zip(positions, crc32s, strict=True))
        tally.checked(len(batch))

    positions = batches(range(len(found)), lambda position: found[position].unread_bytes, most_bytes=BUFFER_BYTES)
    await for_each(positions, read, at_once=CHECKS_AT_ONCE)
    return [_source(one, crcs[position]) for position, one in enumerate(found)]


async def insist_on_unchanged(sources: Sequence[SourceFile], store: ObjectStore) -> None:
    """Check that files are still what they were when they were looked up, without reading them.

    Raises SourceChanged for the first one that is not.
    """
    with naming(sources):
        infos = await store.head_many([source.key for source in sources])
    for source, info in zip(sources, infos, strict=True):
        if info is None:
            raise vanished_file(source)
        if info.etag != source.etag:
            raise changed_file(source)


@contextmanager
def naming(files: Sequence[CatalogueFile | SourceFile]) -> Iterator[None]:
    """Turn what the store says about the object of one of these files into what the run says about the file.

    Raises SourceChanged, also when the object went away: the next run's plan knows whether it is gone, or was only
    being replaced. Raises SourceArchived, SourceForbidden, or RetryableRunError when the store cannot give the object
    now.
    """
    try:
        yield
    except ObjectError as error:
        file_of = {file.key: file for file in files}
        raise _about_file(file_of[error.key], error) from error


def _about_file(file: CatalogueFile | SourceFile, error: ObjectError) -> RunError:
    if isinstance(error, ObjectMissing):
        return vanished_file(file)
    if isinstance(error, ObjectChanged):
        return changed_file(file)
    kind: type[RunError] = RetryableRunError
    if isinstance(error, ObjectArchived):
        kind = SourceArchived
    elif isinstance(error, ObjectForbidden):
        kind = SourceForbidden
    # Why is for the operators: it is in the error that this one is raised from.
    trouble = _TROUBLE.get(kind, "cannot be read now")
    return kind(f"File {file.file_id} ({file.name}) {trouble}.", file_ids=[file.file_id])


_TROUBLE: dict[type[RunError], str] = {
    SourceArchived: "lies in an archive and must be restored before it can be bundled",
    SourceForbidden: "may not be read by this service",
}


def missing_files(skipped: Sequence[SkippedFile], *, asked_files: int) -> SourceMissing:
    """Say of files that they are gone, or that nobody knows their ids; a sentence for each, naming the first 20.

    `asked_files` is how many the job asked for: whether there are others that could be asked for again.
    """
    gone = [file.file_id for file in skipped if file.reason is SkipReason.MISSING]
    unknown = [file.file_id for file in skipped if file.reason is SkipReason.UNKNOWN]
    sentences: list[str] = []
    if gone:
        which = "1 file does" if len(gone) == 1 else f"{len(gone):,} files do"
        sentences.append(f"{which} not exist any more: {list_ids(gone)}.")
    if unknown:
        which = "1 file id is" if len(unknown) == 1 else f"{len(unknown):,} file ids are"
        sentences.append(f"{which} not in the catalogue: {list_ids(unknown)}.")
    has_others = len(skipped) < asked_files
    sentences.append("Ask for the others again." if has_others else "Nothing is left to bundle.")
    return SourceMissing(" ".join(sentences), file_ids=[file.file_id for file in skipped])


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
