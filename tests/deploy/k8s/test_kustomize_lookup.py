"""Which program renders the overlays: a new enough kubectl, else a kustomize, never an old one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import kustomize

Program = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def _look_again() -> Iterator[None]:
    kustomize.find.cache_clear()
    yield
    kustomize.find.cache_clear()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a program on the path, which is otherwise empty; whatever it is asked, it says this."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(kustomize, "TOOLS", tmp_path / "tools")

    def put(name: str, says: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho '{says}'\n")
        path.chmod(0o755)
        return path

    return put


def test_a_new_kubectl_is_taken(program: Program) -> None:
    kubectl = program("kubectl", json.dumps({"kustomizeVersion": "v5.5.0"}))

    assert kustomize.find() == ((str(kubectl), "kustomize"), "v5.5.0")


@pytest.mark.parametrize("says", ['{"kustomizeVersion": "v4.5.7"}', '{"clientVersion": {}}', "no JSON at all"])
def test_an_old_kubectl_is_passed_over_for_a_kustomize(program: Program, says: str) -> None:
    program("kubectl", says)
    own = program("kustomize", "v5.7.1")

    assert kustomize.find() == ((str(own), "build"), "v5.7.1")


def test_nothing_is_taken_where_all_are_too_old(program: Program) -> None:
    program("kubectl", '{"kustomizeVersion": "v4.5.7"}')
    program("kustomize", "v4.5.7")

    assert kustomize.find() is None


def test_without_any_the_test_is_skipped_or_fails_where_tools_are_required(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WAYBILL_REQUIRE_TOOLS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make kustomize"):
        kustomize.render(Path("."))

    monkeypatch.setenv("WAYBILL_REQUIRE_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception, match="make kustomize"):
        kustomize.render(Path("."))
