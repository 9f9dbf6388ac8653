import hashlib
import io
import time
import zipfile
import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.bundle.plan import BundlePlan, FilePiece, Literal, SourceFile, plan_bundle
from shared import limits
from shared.errors import InvalidPlan
from shared.jobs import SkippedFile, SkipReason
from tests.unit.bundle.archives import build, fake_source, fill, noise, source

NAMES = st.sampled_from(["a.txt", "A.txt", "Übersicht.pdf", "x/y/z.bin", "con", "", "日本.txt"])
SIZES = st.one_of(
    st.integers(0, 100),
    st.sampled_from([0xFFFFFFFE, 0xFFFFFFFF, 0x100000000, limits.PART_BYTES, limits.PART_BYTES - 100]),
    st.integers(0, 2**39),
)
CRCS = st.integers(0, 2**32 - 1)


@st.composite
def fake_sources(draw: st.DrawFn) -> list[SourceFile]:
    shapes = draw(st.lists(st.tuples(NAMES, SIZES, CRCS, st.integers(0, 2**42)), min_size=1, max_size=8))
    return [
        fake_source(70000 + position, name, size_bytes, crc32=crc32, modified_at_ms=at_ms)
        for position, (name, size_bytes, crc32, at_ms) in enumerate(shapes)
    ]


@st.composite
def small_files(draw: st.DrawFn) -> list[tuple[str, bytes]]:
    return draw(st.lists(st.tuples(NAMES, st.binary(max_size=200)), min_size=1, max_size=8))


@given(fake_sources())
def test_size_is_the_sum_of_all_spans(sources: list[SourceFile]) -> None:
    plan = plan_bundle(sources)

    spans = list(plan.spans())
    assert sum(span.length_bytes for span in spans) == plan.size_bytes
    pieces = [span for span in spans if isinstance(span, FilePiece)]
    assert [piece.length_bytes for piece in pieces] == [one.size_bytes for one in sources if one.size_bytes]


@given(fake_sources())
def test_every_file_is_where_its_entry_says_in_the_order_asked(sources: list[SourceFile]) -> None:
    plan = plan_bundle(sources)

    offset, places = 0, {}
    for span in plan.spans():
        if isinstance(span, FilePiece):
            places[span.file.source.file_id] = offset
        offset += span.length_bytes
    assert [file.source for file in plan.files] == sources
    assert all(places.get(file.source.file_id, file.content_offset) == file.content_offset for file in plan.files)


@settings(max_examples=30)
@given(fake_sources())
def test_directory_tells_zipfile_sizes_places_and_crcs_of_any_size(sources: list[SourceFile]) -> None:
    plan = plan_bundle(sources)

    infos = zipfile.ZipFile(SparseArchive(plan)).infolist()
    read = [(info.filename, info.file_size, info.compress_size, info.CRC, info.header_offset) for info in infos]
    assert read == [
        (file.name, file.source.size_bytes, file.source.size_bytes, file.source.crc32, file.header_offset)
        for file in plan.files
    ]


@given(fake_sources())
def test_zip64_is_used_exactly_where_a_number_does_not_fit(sources: list[SourceFile]) -> None:
    plan = plan_bundle(sources)

    for file in plan.files:
        assert (len(file.header) > 30 + len(file.name.encode())) == (file.source.size_bytes >= 0xFFFFFFFF)
    last = plan.files[-1]
    directory_offset = last.content_offset + last.source.size_bytes
    assert (b"PK\6\6" in plan.tail[-98:-22]) == (directory_offset >= 0xFFFFFFFF)


@given(fake_sources())
def test_same_sources_give_the_same_plan(sources: list[SourceFile]) -> None:
    assert plan_bundle(sources) == plan_bundle(list(sources))


@given(small_files())
def test_archive_crc_is_predicted_and_zipfile_reads_every_byte(files: list[tuple[str, bytes]]) -> None:
    contents = {position: content for position, (_, content) in enumerate(files)}
    plan = plan_bundle([source(position, name, content) for position, (name, content) in enumerate(files)])

    archive = build(plan, contents)

    assert (len(archive), zlib.crc32(archive)) == (plan.size_bytes, plan.archive_crc32)
    with zipfile.ZipFile(io.BytesIO(archive)) as reader:
        assert reader.testzip() is None
        assert [reader.read(info) for info in reader.infolist()] == [content for _, content in files]


@given(fake_sources())
@settings(max_examples=30)
def test_parts_lie_on_the_grid_and_only_the_last_is_shorter(sources: list[SourceFile]) -> None:
    plan = plan_bundle(sources)

    *whole, last = [part.length_bytes for part in plan.parts()]
    assert set(whole) <= {plan.part_bytes}
    assert 1 <= last <= plan.part_bytes
    assert plan.part_bytes * len(whole) + last == plan.size_bytes
    assert plan.part_bytes % limits.PART_BYTES == 0
    assert len(whole) < limits.MAX_PARTS


@pytest.mark.parametrize("part_bytes", [1, 7, 64, 100])
def test_parts_joined_are_the_archive(monkeypatch: pytest.MonkeyPatch, part_bytes: int) -> None:
    monkeypatch.setattr(limits, "PART_BYTES", part_bytes)
    contents = {0: noise(100), 1: b"", 2: noise(64, seed=2), 3: noise(1)}
    plan = plan_bundle([source(file_id, f"{file_id}.bin", content) for file_id, content in contents.items()])

    parts = list(plan.parts())

    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert b"".join(fill(part.spans, contents) for part in parts) == build(plan, contents)
    assert {part.length_bytes for part in parts[:-1]} <= {part_bytes}


def test_parts_grow_when_ten_thousand_are_not_enough() -> None:
    assert plan_bundle([fake_source(1, "a", 70 * 2**30)]).part_bytes == limits.PART_BYTES
    assert plan_bundle([fake_source(1, "a", 80 * 2**30)]).part_bytes == 2 * limits.PART_BYTES
    assert plan_bundle([fake_source(1, "a", 5 * 2**40 - 1000)]).part_bytes == 66 * limits.PART_BYTES


def test_an_archive_over_five_tebibytes_is_refused_with_both_sizes() -> None:
    with pytest.raises(InvalidPlan, match=r"5,497,558,13.*at most 5,497,558,138,880"):
        plan_bundle([fake_source(1, "a", 5 * 2**40 - 10)])


def change(one: SourceFile, field: str) -> SourceFile:
    changed = {"name": "other", "size_bytes": 6, "etag": "other", "modified_at_ms": 1_600_000_000_000, "crc32": 9}
    return msgspec.structs.replace(one, **{field: changed[field]})


@pytest.mark.parametrize("field", ["name", "size_bytes", "etag", "modified_at_ms", "crc32"])
def test_plan_hash_changes_with_all_that_determines_the_bytes(field: str) -> None:
    one = fake_source(1, "a", 5, crc32=1)

    assert plan_bundle([one]).plan_hash != plan_bundle([change(one, field)]).plan_hash


def test_plan_hash_changes_with_the_order() -> None:
    one, two = fake_source(1, "a", 5), fake_source(2, "b", 5)

    assert plan_bundle([one, two]).plan_hash != plan_bundle([two, one]).plan_hash


def test_the_bytes_of_an_archive_never_change_by_accident() -> None:
    contents = {1: b"hello", 2: b"", 3: b"world"}
    names = {1: "Übersicht.txt", 2: "empty", 3: "übersicht.TXT"}

    archive = build(plan_bundle([source(one, names[one], contents[one]) for one in contents]), contents)

    # Links are promised to give the same bytes again: change this only together with _HASH_DOMAIN in plan.py.
    assert hashlib.sha256(archive).hexdigest() == "e885398c0efe3a4812a986c01ea9ad1de9675a5e1cb6336b49f16f72677c2ccb"


def test_a_thousand_files_of_terabytes_together_are_planned_within_a_second() -> None:
    sources = [fake_source(one, "same name.bin", 5 * 2**30 - one, crc32=one) for one in range(1000)]

    started = time.process_time()
    plan = plan_bundle(sources)

    assert time.process_time() - started < 1
    assert sum(len(span.content) for span in plan.spans() if isinstance(span, Literal)) < 500_000


SKIPPED = (SkippedFile(7, None, SkipReason.UNKNOWN), SkippedFile(8, "Übersicht.pdf", SkipReason.MISSING))


@given(small_files())
def test_left_out_files_are_listed_in_a_last_file_that_zipfile_can_read(files: list[tuple[str, bytes]]) -> None:
    contents = {70000 + position: content for position, (_, content) in enumerate(files)}
    sources = [source(70000 + position, name, content) for position, (name, content) in enumerate(files)]

    plan = plan_bundle(sources, SKIPPED)

    archive = build(plan, contents)
    assert (len(archive), zlib.crc32(archive)) == (plan.size_bytes, plan.archive_crc32)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == [file.name for file in plan.files] + ["skipped-files.json"]
        assert msgspec.json.decode(opened.read("skipped-files.json")) == {
            "skipped": [
                {"file_id": 7, "name": None, "reason": "unknown"},
                {"file_id": 8, "name": "Übersicht.pdf", "reason": "missing"},
            ]
        }


def test_the_list_gives_way_to_a_file_of_its_name() -> None:
    plan = plan_bundle([source(1, "Skipped-Files.json", b"mine")], SKIPPED)

    with zipfile.ZipFile(io.BytesIO(build(plan, {1: b"mine"}))) as opened:
        assert opened.namelist() == ["Skipped-Files.json", "skipped-files (2).json"]


def test_the_list_is_part_of_what_a_plan_is_and_of_nothing_else() -> None:
    sources = [source(1, "a", b"a", modified_at_ms=2_000_000_000_000), source(2, "b", b"b")]

    plans = [plan_bundle(sources, SKIPPED), plan_bundle(sources, SKIPPED), plan_bundle(sources, SKIPPED[:1])]

    assert plans[0] == plans[1]
    assert len({plan.plan_hash for plan in [*plans, plan_bundle(sources)]}) == 3
    with zipfile.ZipFile(io.BytesIO(build(plans[0], {1: b"a", 2: b"b"}))) as opened:
        assert opened.infolist()[2].date_time == (2033, 5, 18, 3, 33, 20)


class SparseArchive(io.RawIOBase):
    """The archive as a file whose sources read as zeros, so that it may have terabytes."""

    def __init__(self, plan: BundlePlan) -> None:
        self._plan = plan
        self._tail_at = plan.size_bytes - len(plan.tail)
        self._position = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._plan.size_bytes}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        start = self._position - self._tail_at
        assert start >= 0, "only the directory is read"
        content = self._plan.tail[start:] if size < 0 else self._plan.tail[start : start + size]
        self._position += len(content)
        return content
