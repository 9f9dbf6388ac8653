"""On which Redis `make operate` and `make dead-letters` work."""

from pathlib import Path

import pytest

from deploy.local.command import chosen_redis
from deploy.local.errors import LocalSetupError
from deploy.local.options import read_options

RUNNING = "redis://127.0.0.1:40123/0"
ELSEWHERE = "redis://production.example:6379/0"


def note_a_run(home: Path) -> None:
    home.joinpath("redis-url").write_text(RUNNING, encoding="utf-8")


def test_the_run_that_is_up_goes_before_an_exported_url_which_is_told(tmp_path: Path) -> None:
    note_a_run(tmp_path)

    chosen = chosen_redis(read_options({"WAYBILL_HOME": str(tmp_path), "REDIS_URL": ELSEWHERE}, tmp_path))

    assert chosen.url == RUNNING
    assert "REDIS_URL is passed over" in chosen.reason


@pytest.mark.parametrize("given", [{}, {"REDIS_URL": RUNNING}], ids=["unset", "the same"])
def test_nothing_is_said_of_a_url_that_changes_nothing(tmp_path: Path, given: dict[str, str]) -> None:
    note_a_run(tmp_path)

    chosen = chosen_redis(read_options({"WAYBILL_HOME": str(tmp_path)} | given, tmp_path))

    assert chosen == (RUNNING, f"It is that of the make run in {tmp_path}.")


def test_without_a_run_the_url_is_taken_and_said_to_be(tmp_path: Path) -> None:
    chosen = chosen_redis(read_options({"WAYBILL_HOME": str(tmp_path), "REDIS_URL": ELSEWHERE}, tmp_path))

    assert chosen.url == ELSEWHERE
    assert chosen.reason.startswith("REDIS_URL says so")


def test_with_neither_both_ways_out_are_named(tmp_path: Path) -> None:
    with pytest.raises(LocalSetupError, match=r"No make run is up in .* or set REDIS_URL"):
        chosen_redis(read_options({"WAYBILL_HOME": str(tmp_path)}, tmp_path))
