"""The transfer: copies what the plan says into a multipart upload, part by part, and proves it on the way.

    part ──▶ fill the buffer ──▶ CRC of each file in it ──▶ Verification ──▶ upload_part
    (a few parts side by side; those that an earlier run                        │ all parts
    has uploaded are only checked)              empty files still empty? ◀──────┘

Memory is the part size times the parts in flight, whatever the archive's size. What becomes of the upload, when it is
filled or cannot be, is resumption.py.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from processor.bundle.belief import KeptPart
from processor.bundle.pace import Pace
from processor.bundle.plan import BundlePlan, FilePiece, Literal, Part, PlannedFile
from processor.bundle.sources import changed_file, insist_on_unchanged, naming
from processor.bundle.tally import Tally
from processor.bundle.verification import Verification, crcs_of, kept_crcs_of
from shared import limits
from shared.batches import batches
from shared.errors import UploadInvalid
from shared.for_each import for_each
from shared.objects.info import PartTag, Reading, Upload
from shared.objects.store import ObjectStore
from shared.objects.threads import in_thread


class Step(NamedTuple):
    """What is copied of one file in one go."""

    file: PlannedFile
    reading: Reading


class Assembly:
    """One transfer: from the plan's sources into an upload. Made for one upload, used once."""

    def __init__(
        self, plan: BundlePlan, *, sources: ObjectStore, objects: ObjectStore, tally: Tally, pace: Pace
    ) -> None:
        self._plan = plan
        self._sources = sources
        self._objects = objects
        self._tally = tally
        self._pace = pace
        self._verification = Verification(plan)
        self._tags: dict[int, PartTag] = {}
        self._buffers: list[bytearray] = []

    async def fill(self, upload: Upload, kept: Sequence[KeptPart] = ()) -> list[PartTag]:
        """Copy everything but the parts that are `kept`; give all parts.

        Raises SourceChanged or RetryableRunError with the file that is the cause, ObjectError (StoreFull among them)
        when the archive cannot be written, and UploadInvalid when what was kept is not of this archive.
        """
        self._keep(kept)
        rest = (part for part in self._plan.parts() if part.number not in self._tags)
        await for_each(rest, lambda part: self._copy(upload, part), at_once=self._parts_in_flight)
        await self._check_empty_files()
        if kept and not self._verification.is_complete:
            raise UploadInvalid(f"What is in the upload of {upload.key} is not the archive.", key=upload.key)
        assert self._verification.is_complete, "every span was checked, and yet the archive is another one"
        self._tally.finishing()
        return [self._tags[number] for number in sorted(self._tags)]

    def _keep(self, kept: Sequence[KeptPart]) -> None:
        """Take the parts that are there already for done."""
        for part, tag in kept:
            self._verification.add(kept_crcs_of(part, tag.crc32))
            self._tags[part.number] = tag
        pieces = [span for part, _ in kept for span in part.spans if isinstance(span, FilePiece)]
        self._tally.copied(sum(piece.length_bytes for piece in pieces))

    async def _check_empty_files(self) -> None:
        """Check the files of which nothing was read: one that has grown since the plan must not go in as empty."""
        empty = [file.source for file in self._plan.files if not file.source.size_bytes]
        await insist_on_unchanged(empty, self._sources)

    @property
    def _parts_in_flight(self) -> int:
        return min(limits.PARTS_IN_FLIGHT, max(1, limits.PARTS_IN_FLIGHT_BYTES // self._plan.part_bytes))

    async def _copy(self, upload: Upload, part: Part) -> None:
        """Fill, check and upload one part, in a buffer that is used again: fresh pages cost more than the copying."""
        buffer = self._buffers.pop() if self._buffers else bytearray(part.length_bytes)
        await self._copy_through(memoryview(buffer)[: part.length_bytes], upload, part)
        self._buffers.append(buffer)

    async def _copy_through(self, view: memoryview, upload: Upload, part: Part) -> None:
        for span, place in part.laid_over(view):
            if isinstance(span, Literal):
                place[:] = span.content
        step_bytes = self._pace.step_bytes or part.length_bytes
        for batch in batches(_steps(part, view, step_bytes), _size_of, most_bytes=step_bytes):
            await self._fill(batch)
        crcs = await in_thread(crcs_of, part, view)
        if changed := self._verification.add(crcs):
            raise changed_file(changed)
        self._tags[part.number] = await self._objects.upload_part(upload, part.number, view, crc32=crcs.crc32)

    async def _fill(self, batch: Sequence[Step]) -> None:
        """Read pieces of files into their places."""
        await self._pace.allow(sum(map(_size_of, batch)))
        with naming([step.file.source for step in batch]):
            await self._sources.read_many_into([step.reading for step in batch])
        self._tally.copied(sum(map(_size_of, batch)))


def _steps(part: Part, view: memoryview, step_bytes: int) -> Iterator[Step]:
    """Yield what is to be read to fill a part's buffer, in steps of at most `step_bytes`."""
    for span, place in part.laid_over(view):
        if isinstance(span, FilePiece):
            source = span.file.source
            for start in range(0, span.length_bytes, step_bytes):
                step = place[start : start + step_bytes]
                yield Step(span.file, Reading(source.key, source.etag, step, span.start_byte + start))


def _size_of(step: Step) -> int:
    return len(step.reading.view)
