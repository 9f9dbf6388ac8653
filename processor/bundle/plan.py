"""The plan of an archive: every byte of it is known, or known to be a byte of a source, before the first one is copied.

    plan_bundle(sources) ──▶ BundlePlan ──spans()──▶ header, file, header, file, … (list of what is missing) directory
                                        └─parts()──▶ the same, cut on the grid of the multipart upload

Pure, and deterministic: the same sources give the same bytes. Holds headers, never a file's content.
"""

import hashlib
import zlib
from collections.abc import Iterator, Sequence

import msgspec

from processor.bundle import zip_format
from processor.bundle.crc_combine import combine
from processor.bundle.names import archive_names, is_renamed
from shared import limits
from shared.errors import InvalidPlan
from shared.jobs import SkippedFile

SKIPPED_NAME = "skipped-files.json"  # what the list of left out files is called, unless a file is called so too

_HASH_DOMAIN = "waybill bundle 1"  # a new number when the same sources are to give other bytes


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it goes into the archive: what the catalogue says, what the store says, and its CRC-32."""

    file_id: int
    key: str
    name: str
    size_bytes: int
    etag: str
    modified_at_ms: int
    crc32: int


class PlannedFile(msgspec.Struct, frozen=True):
    """A file and its place: the local header starts at `header_offset`, the content at `content_offset`."""

    index: int
    source: SourceFile
    name: str
    header: bytes
    header_offset: int

    @property
    def content_offset(self) -> int:
        """The place of the file's first byte in the archive."""
        return self.header_offset + len(self.header)

    @property
    def is_renamed(self) -> bool:
        """Tell whether the name in the archive differs from the file's own."""
        return is_renamed(self.source.name, self.name)


class Literal(msgspec.Struct, frozen=True):
    """Bytes of the archive that are made here."""

    content: bytes

    @property
    def length_bytes(self) -> int:
        """How many bytes of the archive this is."""
        return len(self.content)


class FilePiece(msgspec.Struct, frozen=True):
    """Bytes of the archive that are those of a source, from its byte `start_byte`; never empty."""

    file: PlannedFile
    start_byte: int
    length_bytes: int


Span = Literal | FilePiece


class Part(msgspec.Struct, frozen=True):
    """One part of the multipart upload; `number` counts from 1."""

    number: int
    spans: tuple[Span, ...]

    @property
    def length_bytes(self) -> int:
        """The size of the part: `part_bytes` of the plan, or less in the last one."""
        return sum(span.length_bytes for span in self.spans)

    def laid_over(self, view: memoryview) -> Iterator[tuple[Span, memoryview]]:
        """Yield each span with its place in a buffer of the part's length."""
        start = 0
        for span in self.spans:
            end = start + span.length_bytes
            yield span, view[start:end]
            start = end


class BundlePlan(msgspec.Struct, frozen=True, kw_only=True):
    """An archive that is fully described: exactly `size_bytes` bytes, with this CRC-32, in parts of `part_bytes`.

    `tail` is all that follows the files. `plan_hash` is 64 hexadecimal digits; two plans of the same hash describe the
    same bytes.
    """

    files: tuple[PlannedFile, ...]
    tail: bytes
    size_bytes: int
    archive_crc32: int
    plan_hash: str

    @property
    def part_bytes(self) -> int:
        """The size of a part: the smallest multiple of PART_BYTES with which MAX_PARTS parts are enough."""
        return limits.PART_BYTES * max(1, -(-self.size_bytes // (limits.PART_BYTES * limits.MAX_PARTS)))

    def spans(self) -> Iterator[Span]:
        """Yield the archive from its first byte to its last."""
        for file in self.files:
            yield Literal(file.header)
            if file.source.size_bytes:
                yield FilePiece(file, 0, file.source.size_bytes)
        yield Literal(self.tail)

    def parts(self) -> Iterator[Part]:
        """Yield the archive in parts, each of `part_bytes` but the last; lazily, there may be 10,000."""
        number, spans, room_bytes = 1, list[Span](), self.part_bytes
        for span in self.spans():
            rest = span
            while rest.length_bytes > room_bytes:
                head, rest = _split(rest, room_bytes)
                yield Part(number, (*spans, head) if head.length_bytes else tuple(spans))
                number, spans, room_bytes = number + 1, [], self.part_bytes
            spans.append(rest)
            room_bytes -= rest.length_bytes
        yield Part(number, tuple(spans))


def plan_bundle(sources: Sequence[SourceFile], skipped: Sequence[SkippedFile] = ()) -> BundlePlan:
    """Plan the archive of these files, in this order; files that were left out are listed in a last one of our own.

    Takes about 10 µs for each file, whatever its size. Raises InvalidPlan when the archive would be larger than a
    store takes.
    """
    lists = [_list_of(skipped)] if skipped else []
    # The list comes last: when a file is called like it, the list is the one to get a number.
    names = archive_names([source.name for source in sources] + [SKIPPED_NAME] * len(lists))
    entries = [_entry(source, name) for source, name in zip(sources, names, strict=False)]
    list_entries = [_list_entry(names[-1], content, sources) for content in lists]
    files, files_crc32, files_end = _lay_out(sources, entries)
    list_bytes = b"".join(map(_with_header, list_entries, lists))
    headers = [zip_format.central_header(e, f.header_offset) for e, f in zip(entries, files, strict=True)]
    headers += [zip_format.central_header(entry, files_end) for entry in list_entries]
    tail = list_bytes + _directory(headers, files_end + len(list_bytes))
    size_bytes = files_end + len(tail)
    if size_bytes > limits.MAX_ARCHIVE_BYTES:
        raise InvalidPlan(_about_size(size_bytes))
    return BundlePlan(
        files=files,
        tail=tail,
        size_bytes=size_bytes,
        archive_crc32=zlib.crc32(tail, files_crc32),
        plan_hash=_plan_hash(sources, entries, lists),
    )


def _list_of(skipped: Sequence[SkippedFile]) -> bytes:
    """Write the list of the files that are not in the archive, for people and programs; it depends on nothing else."""
    return msgspec.json.format(msgspec.json.encode({"skipped": skipped}), indent=2) + b"\n"


def _list_entry(name: str, content: bytes, sources: Sequence[SourceFile]) -> zip_format.StoredEntry:
    """Describe the list; as old as the newest file, because a clock would make every archive another one."""
    dos_date, dos_time = zip_format.dos_timestamp(max((source.modified_at_ms for source in sources), default=0))
    return zip_format.StoredEntry(name.encode(), len(content), zlib.crc32(content), dos_date, dos_time)


def _with_header(entry: zip_format.StoredEntry, content: bytes) -> bytes:
    return zip_format.local_header(entry) + content


def _entry(source: SourceFile, name: str) -> zip_format.StoredEntry:
    dos_date, dos_time = zip_format.dos_timestamp(source.modified_at_ms)
    return zip_format.StoredEntry(name.encode(), source.size_bytes, source.crc32, dos_date, dos_time)


def _lay_out(
    sources: Sequence[SourceFile], entries: Sequence[zip_format.StoredEntry]
) -> tuple[tuple[PlannedFile, ...], int, int]:
    """Lay the files one behind the other; give them, the CRC-32 of all that, and the place right after the last."""
    files: list[PlannedFile] = []
    offset, crc32 = 0, 0
    for index, (source, entry) in enumerate(zip(sources, entries, strict=True)):
        header = zip_format.local_header(entry)
        files.append(PlannedFile(index, source, entry.name.decode(), header, offset))
        offset += len(header) + source.size_bytes
        crc32 = combine(zlib.crc32(header, crc32), source.crc32, source.size_bytes)
    return tuple(files), crc32, offset


def _directory(headers: Sequence[bytes], offset: int) -> bytes:
    """Give the central directory, which starts at `offset`, and the end records."""
    directory = b"".join(headers)
    return directory + zip_format.end_records(
        entries=len(headers), directory_bytes=len(directory), directory_offset=offset
    )


def _plan_hash(sources: Sequence[SourceFile], entries: Sequence[zip_format.StoredEntry], lists: Sequence[bytes]) -> str:
    """Hash what determines the bytes: the headers' fields, and which sources; a CRC-32 alone is no identity."""
    facts = [(source.key, source.etag, entry) for source, entry in zip(sources, entries, strict=True)]
    return hashlib.sha256(msgspec.json.encode([_HASH_DOMAIN, facts, *lists])).hexdigest()


def _split(span: Span, length_bytes: int) -> tuple[Span, Span]:
    """Cut a span in two, the first of `length_bytes`."""
    if isinstance(span, Literal):
        return Literal(span.content[:length_bytes]), Literal(span.content[length_bytes:])
    rest = FilePiece(span.file, span.start_byte + length_bytes, span.length_bytes - length_bytes)
    return FilePiece(span.file, span.start_byte, length_bytes), rest


def _about_size(size_bytes: int) -> str:
    return (
        f"The archive would have {size_bytes:,} bytes; a store takes at most {limits.MAX_ARCHIVE_BYTES:,}. "
        "Split the request."
    )
