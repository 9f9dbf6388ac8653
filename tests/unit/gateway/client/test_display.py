"""What people see, as tests/vectors/display.json has it for every language."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.client import display, sentences
from shared.jobs import CANCELLED_BY_CALLER
from shared.rate import WeightedRate

VECTORS = json.loads((Path(__file__).parents[3] / "vectors/display.json").read_text(encoding="utf-8"))


def named(case: dict[str, Any]) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", VECTORS["seconds_left"], ids=lambda case: str(case["seconds"]))
def test_a_remaining_time_in_words(case: dict[str, Any]) -> None:
    given = {name: case[name] for name in ("elapsed_seconds",) if name in case}

    assert display.seconds_left(case["seconds"], **given) == case["words"]


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
def test_what_is_no_time_is_not_said(seconds: float) -> None:
    assert display.seconds_left(seconds) is None


@pytest.mark.parametrize("case", VECTORS["calm"], ids=named)
def test_a_remaining_time_is_calm(case: dict[str, Any]) -> None:
    calm = None

    for now_ms, told_seconds, is_live, shown_seconds in case["steps"]:
        calm = display.calmed(calm, told_seconds, now_ms, is_live=is_live)

        assert (None if calm is None else calm.shown_seconds) == (
            None if shown_seconds is None else pytest.approx(shown_seconds, rel=1e-9)
        )


@pytest.mark.parametrize(("count_bytes", "text"), VECTORS["amounts"])
def test_an_amount(count_bytes: float, text: str) -> None:
    assert display.amount(count_bytes) == text
    assert display.rate(count_bytes) == f"{text}/s"


@pytest.mark.parametrize("case", VECTORS["rates"], ids=named)
def test_a_rate(case: dict[str, Any]) -> None:
    rate = WeightedRate(half_life_seconds=case["half_life_seconds"])

    for count_bytes, seconds in case["stretches"]:
        rate.add(count_bytes, seconds)

    assert rate.bytes_per_second() == pytest.approx(case["bytes_per_second"], rel=1e-9)


@pytest.mark.parametrize(("ratio", "shown"), VECTORS["percents"])
def test_a_percentage(ratio: float, shown: int) -> None:
    assert display.percent(ratio) == shown


@pytest.mark.parametrize("case", VECTORS["moments"], ids=lambda case: str(case["text"]))
def test_a_moment(case: dict[str, Any]) -> None:
    at, now = datetime.fromisoformat(case["at"]), datetime.fromisoformat(case["now"])

    assert display.moment(at, now) == case["text"]


@pytest.mark.parametrize("case", VECTORS["sentences"], ids=lambda case: str(case["sentence"]))
def test_the_sentence_of_a_job(case: dict[str, Any]) -> None:
    facts = msgspec.convert(case["facts"], sentences.Facts)

    assert sentences.sentence(facts) == case["sentence"]


@pytest.mark.parametrize("case", VECTORS["connections"], ids=lambda case: str(case["facts"]))
def test_the_sentence_of_the_connection(case: dict[str, Any]) -> None:
    facts = dict(case["facts"])

    assert sentences.connection_sentence(facts.pop("mode"), **facts) == case["sentence"]


def test_the_callers_own_cancellation_is_known_by_the_servers_words() -> None:
    assert sentences.CALLER_REASON == CANCELLED_BY_CALLER
