import itertools

import pytest

from processor.bundle.plan import BundlePlan, SourceFile, plan_bundle
from processor.bundle.verification import Verification, crcs_of
from shared import limits
from tests.unit.bundle.archives import build_part, noise, source

CONTENTS = {1: noise(150, seed=1), 2: b"", 3: noise(20, seed=3), 4: noise(90, seed=4)}


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> BundlePlan:
    monkeypatch.setattr(limits, "PART_BYTES", 128)
    return plan_bundle([source(file_id, f"{file_id}.bin", content) for file_id, content in CONTENTS.items()])


def verify(plan: BundlePlan, contents: dict[int, bytes], order: tuple[int, ...]) -> tuple[list[SourceFile], bool]:
    verification = Verification(plan)
    parts = list(plan.parts())
    found = [verification.add(crcs_of(parts[index], build_part(parts[index], contents))) for index in order]
    return [file for file in found if file], verification.is_complete


def test_parts_in_any_order_prove_the_archive(plan: BundlePlan) -> None:
    count = len(list(plan.parts()))

    for order in itertools.islice(itertools.permutations(range(count)), 0, 720, 7):
        assert verify(plan, CONTENTS, order) == ([], True)


@pytest.mark.parametrize("file_id", [1, 3, 4])
def test_a_changed_byte_names_its_file(plan: BundlePlan, file_id: int) -> None:
    changed = bytearray(CONTENTS[file_id])
    changed[-1] ^= 1

    found, _ = verify(plan, {**CONTENTS, file_id: bytes(changed)}, tuple(range(len(list(plan.parts())))))

    assert found[0].file_id == file_id


def test_an_archive_without_its_last_part_is_not_complete(plan: BundlePlan) -> None:
    count = len(list(plan.parts()))

    assert verify(plan, CONTENTS, tuple(range(count - 1))) == ([], False)
