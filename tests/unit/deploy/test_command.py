"""On which Redis `make operate` and `make dead-letters` work."""

from pathlib import Path

import pytest

from deploy.local.command import chosen_redis, is_reading, program_of, refuse_change_elsewhere
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

    assert chosen == (RUNNING, f"It is that of the make run in {tmp_path}.", False)


def test_a_run_on_a_redis_of_ones_own_is_known_by_its_url_whose_password_is_in_no_file(tmp_path: Path) -> None:
    tmp_path.joinpath("redis-url").write_text("redis://:***@redis.example:6379/0", encoding="utf-8")
    own = "redis://:secret@redis.example:6379/0"

    chosen = chosen_redis(read_options({"WAYBILL_HOME": str(tmp_path), "REDIS_URL": own}, tmp_path))

    assert chosen == (own, f"It is that of the make run in {tmp_path}.", False)


def test_without_a_run_the_url_is_taken_and_said_to_be(tmp_path: Path) -> None:
    chosen = chosen_redis(read_options({"WAYBILL_HOME": str(tmp_path), "REDIS_URL": ELSEWHERE}, tmp_path))

    assert chosen.url == ELSEWHERE
    assert chosen.reason.startswith("REDIS_URL says so")


def test_with_neither_both_ways_out_are_named(tmp_path: Path) -> None:
    with pytest.raises(LocalSetupError, match=r"No make run is up in .* or set REDIS_URL"):
        chosen_redis(read_options({"WAYBILL_HOME": str(tmp_path)}, tmp_path))


@pytest.mark.parametrize(
    "words",
    [
        *("dead-letters discard --all --yes", "dead-letters redrive 7f", "callbacks redeliver 7f", "archives clear"),
        *("doctor --repair", "keys create --owner anna", "keys revoke 5f", "jobs", "a-later-command list"),
    ],
)
def test_what_changes_something_is_not_done_where_an_exported_url_leads(tmp_path: Path, words: str) -> None:
    url = "redis://:secret@production.example:6379/0"
    options = read_options({"WAYBILL_HOME": str(tmp_path), "REDIS_URL": url}, tmp_path)

    with pytest.raises(LocalSetupError) as refused:
        refuse_change_elsewhere(words.split(), options)

    told = str(refused.value)
    assert f"No make run is up in {tmp_path}, and `{words}` changes something: it is not done on redis://" in told
    assert "production.example" in told
    assert "secret" not in told
    assert told.endswith(f" -m {program_of(words.split())} {words}")


@pytest.mark.parametrize(
    "words",
    [
        *("backlog", "jobs show 7f", "dead-letters list", "dead-letters show 7f", "doctor --json", "keys list"),
        *("callbacks list", "callbacks dead", "callbacks show 7f", "callbacks test https://example.org/"),
        *("--help", "dead-letters discard --help"),
    ],
)
def test_what_reads_goes_on_where_an_exported_url_leads(words: str) -> None:
    assert is_reading(words.split())


def test_keys_are_looked_after_by_the_gateway() -> None:
    assert program_of(["keys", "list"]) == "gateway"
    assert program_of(["backlog"]) == "processor"
