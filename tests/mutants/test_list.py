"""The list of mutants fits the code as it is, so that `make mutants` means something when somebody runs it."""

from pathlib import Path

import msgspec
import pytest

from tests.architecture.source_tree import ROOT, assert_none
from tests.mutants.mutant import Mutant, read_list, rotten

SOUND = Mutant(
    name="sound",
    why="an example",
    file="shared/a.py",
    text="is_ours and is_due",
    becomes="is_ours",
    tests=("tests/test_a.py::test_it",),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree that the sound example fits."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "shared/a.py").write_text("may_run = is_ours and is_due\n")
    (tmp_path / "tests/test_a.py").write_text("async def test_it(): ...\n")
    return tmp_path


def test_every_mutant_still_fits_the_code_and_its_tests_are_there() -> None:
    assert_none(sentence for mutant in read_list() for sentence in rotten(mutant, ROOT))


def test_mutants_have_names_of_their_own() -> None:
    names = [mutant.name for mutant in read_list()]

    assert len(names) == len(set(names))


def test_a_mutant_changes_the_file_that_it_names(tree: Path) -> None:
    assert list(rotten(SOUND, tree)) == []
    assert SOUND.apply_to(tree)
    assert (tree / "shared/a.py").read_text() == "may_run = is_ours\n"


@pytest.mark.parametrize(
    "change",
    [
        {"text": "is_late"},
        {"text": "is_"},
        {"becomes": "is_ours and is_due"},
        {"becomes": "is_ours and"},
        {"file": "shared/b.py"},
        {"tests": ()},
        {"tests": ("tests/test_a.py::test_that",)},
        {"tests": ("tests/test_b.py::test_it",)},
    ],
    ids=lambda change: "-".join(f"{key}-{value}" for key, value in change.items()),
)
def test_a_mutant_that_does_not_fit_is_seen(tree: Path, change: dict[str, object]) -> None:
    assert list(rotten(msgspec.structs.replace(SOUND, **change), tree))


@pytest.mark.parametrize("text", ["is_late", "is_"])
def test_a_mutant_that_does_not_apply_changes_nothing(tree: Path, text: str) -> None:
    assert not msgspec.structs.replace(SOUND, text=text).apply_to(tree)
    assert (tree / "shared/a.py").read_text() == "may_run = is_ours and is_due\n"
