"""What admins are told, and what follows from how they took it."""

import json

import msgspec
import pytest

from processor.dead_letters.message import (
    DEFAULT_POLICY,
    GivenUp,
    TellAgain,
    Told,
    Tries,
    after_reception,
    body_of,
    headers_of,
)
from shared import limits
from tests.unit.processor.commands.letters import letter


def test_the_message_holds_the_whole_letter() -> None:
    message = json.loads(body_of(letter()))

    assert set(message) == {"type", "timestamp", "data"}
    assert (message["type"], message["timestamp"]) == ("dead_letter", "2026-11-23T19:20:00.123Z")
    assert {"dead_id", "job_id", "owner", "reason", "error", "attempts", "failures", "crashes", "processor"} < set(
        message["data"]
    )
    assert message["data"]["events"][0] == {"type": "queued"}


def test_the_id_tells_letters_apart_and_tries_not() -> None:
    assert headers_of(letter()) == headers_of(letter())
    assert letter().job_id in headers_of(letter())["webhook-id"]
    assert letter().dead_id in headers_of(letter())["webhook-id"]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_only_2xx_is_success(status: int) -> None:
    assert after_reception(status, Tries(), DEFAULT_POLICY, random_ratio=0.5) == Told()


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410, 500])
def test_a_refusal_is_tried_again_for_this_letter_alone(status: int) -> None:
    step = after_reception(status, Tries(2, 1), DEFAULT_POLICY, random_ratio=0.5)

    assert step == TellAgain(Tries(3, 2), delay_ms=2_000, is_away=False)


@pytest.mark.parametrize("status", [None, 408, 429, 502, 503, 504])
def test_an_endpoint_that_is_away_is_waited_for_and_is_no_refusal(status: int | None) -> None:
    step = after_reception(status, Tries(40, 7), DEFAULT_POLICY, random_ratio=0.5)

    assert step == TellAgain(Tries(41, 7), delay_ms=limits.TELL_CAP_MS // 2, is_away=True)


def test_a_letter_that_is_refused_too_often_is_given_up() -> None:
    tries = Tries(limits.MAX_TELL_REFUSALS - 1, limits.MAX_TELL_REFUSALS - 1)

    assert after_reception(500, tries, DEFAULT_POLICY, random_ratio=0.5) == GivenUp()
    assert isinstance(after_reception(None, tries, DEFAULT_POLICY, random_ratio=0.5), TellAgain)


def test_no_letter_is_tried_for_ever() -> None:
    assert after_reception(None, Tries(limits.MAX_TELL_TRIES - 1, 0), DEFAULT_POLICY, random_ratio=0.5) == GivenUp()


def test_a_try_that_broke_is_a_refusal_of_this_letter_and_no_outage() -> None:
    step = after_reception(None, Tries(2, 1), DEFAULT_POLICY, random_ratio=0.5, is_broken=True)

    assert step == TellAgain(Tries(3, 2), delay_ms=2_000, is_away=False)


def test_a_job_that_no_header_can_name_is_escaped_in_the_id() -> None:
    damaged = msgspec.structs.replace(letter(), job_id="a\r\nX-Evil: \u2028b")

    assert headers_of(damaged)["webhook-id"] == f"dead_a%0D%0AX-Evil%3A%20%E2%80%A8b_{damaged.dead_id}"
