import zlib

import msgspec
import pytest

from processor.bundle.belief import KeptPart, kept_parts, planned_crc32
from processor.bundle.plan import BundlePlan, plan_bundle
from processor.bundle.verification import Verification, crcs_of, kept_crcs_of
from shared import limits
from shared.objects.info import PartTag
from tests.unit.bundle.archives import build_part, noise, source

CONTENTS = {1: noise(150, seed=1), 2: noise(20, seed=2), 3: noise(300, seed=3), 4: b""}


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> BundlePlan:
    monkeypatch.setattr(limits, "PART_BYTES", 256)
    return plan_bundle([source(file_id, f"{file_id}.bin", content) for file_id, content in CONTENTS.items()])


def tags_of(plan: BundlePlan) -> list[PartTag]:
    """Give what a store lists when all parts are there."""
    contents = [build_part(part, CONTENTS) for part in plan.parts()]
    return [PartTag(number, len(content), "e", zlib.crc32(content)) for number, content in enumerate(contents, start=1)]


def numbers_of(kept: list[KeptPart] | None) -> list[int]:
    assert kept is not None
    return [part.tag.number for part in kept]


def test_the_parts_that_are_there_are_kept_each_with_its_part_of_the_plan(plan: BundlePlan) -> None:
    tags, parts = tags_of(plan), list(plan.parts())

    assert kept_parts(plan, tags) == [KeptPart(part, tag) for part, tag in zip(parts, tags, strict=True)]
    assert kept_parts(plan, [tags[2], tags[0]]) == [KeptPart(parts[0], tags[0]), KeptPart(parts[2], tags[2])]
    assert kept_parts(plan, []) == []


@pytest.mark.parametrize("index", [0, -1])
def test_a_part_of_another_size_makes_the_upload_another_one(plan: BundlePlan, index: int) -> None:
    tags = tags_of(plan)
    tags[index] = msgspec.structs.replace(tags[index], size_bytes=tags[index].size_bytes - 1)

    assert kept_parts(plan, tags) is None


def test_a_part_beyond_the_plan_makes_the_upload_another_one(plan: BundlePlan) -> None:
    tags = tags_of(plan)

    assert kept_parts(plan, [*tags, PartTag(len(tags) + 1, 256)]) is None


def test_a_part_of_whole_files_with_another_crc_is_uploaded_again(plan: BundlePlan) -> None:
    tags = tags_of(plan)
    known = [part.number for part in plan.parts() if planned_crc32(part) is not None]
    wrong = [msgspec.structs.replace(tag, crc32=(tag.crc32 or 0) ^ 1) for tag in tags]

    assert known
    assert numbers_of(kept_parts(plan, wrong)) == [tag.number for tag in tags if tag.number not in known]


def test_a_part_whose_store_knows_no_crc_is_kept(plan: BundlePlan) -> None:
    tags = [msgspec.structs.replace(tag, crc32=None) for tag in tags_of(plan)]

    assert numbers_of(kept_parts(plan, tags)) == [tag.number for tag in tags]


def test_the_planned_crc_is_that_of_the_bytes(plan: BundlePlan) -> None:
    for part in plan.parts():
        assert planned_crc32(part) in (None, zlib.crc32(build_part(part, CONTENTS)))


# ── the proof of an archive of which some parts were kept ─────────────────────────────────────────────────────────────


def prove(plan: BundlePlan, kept: dict[int, int | None], contents: dict[int, bytes]) -> tuple[list[int], bool]:
    """Verify an archive; `kept` gives the CRC-32 of the parts that were not copied. Give the changed files, if any."""
    verification = Verification(plan)
    crcs = [
        kept_crcs_of(part, kept[part.number]) if part.number in kept else crcs_of(part, build_part(part, contents))
        for part in plan.parts()
    ]
    changed = [verification.add(one) for one in crcs]
    return [file.file_id for file in changed if file], verification.is_complete


def test_kept_parts_and_copied_ones_prove_the_archive_together(plan: BundlePlan) -> None:
    for tag in tags_of(plan):
        assert prove(plan, {tag.number: tag.crc32}, CONTENTS) == ([], True)
        assert prove(plan, {tag.number: None}, CONTENTS) == ([], True)


def test_a_kept_part_of_other_bytes_disproves_the_archive(plan: BundlePlan) -> None:
    for tag in tags_of(plan):
        assert prove(plan, {tag.number: (tag.crc32 or 0) ^ 1}, CONTENTS) == ([], False)


def test_a_file_that_is_copied_whole_is_checked_beside_a_part_of_which_nothing_is_known(plan: BundlePlan) -> None:
    changed = bytes([CONTENTS[1][0] ^ 1]) + CONTENTS[1][1:]

    assert prove(plan, {3: None}, {**CONTENTS, 1: changed})[0] == [1]
