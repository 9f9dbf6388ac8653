"""Callbacks as they lie in Redis: what is written there is read back, and what cannot be read hides nothing."""

import pytest

from shared.errors import RecordUnreadable
from shared.jobs import make_job_id
from shared.jobstore.callback import (
    CallbackName,
    CallbackState,
    DeliveryOutcome,
    decode_callback,
    decode_dead,
    decode_taken,
    decode_tries,
)

JOB_ID = make_job_id(3, 0xABCDEF)
HEX = JOB_ID.replace("-", "")
NAME = CallbackName(JOB_ID, 7)


@pytest.mark.parametrize(
    ("name", "text"), [(NAME, f"msg_{HEX}_7"), (CallbackName(JOB_ID, 7, True), f"msg_{HEX}_7_admin")]
)
def test_an_id_names_job_end_and_whom_it_is_for(name: CallbackName, text: str) -> None:
    assert name.text == text
    assert CallbackName.read(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "msg",
        f"msg_{HEX}",
        f"msg_{HEX}_",
        f"msg_{HEX}_x",
        f"msg_{HEX}_-1",
        f"msg_{HEX}_٧",
        f"msg_{HEX}_07",
        f"msg_{HEX}_7_",
        f"msg_{HEX}_7_admin_admin",
        f"msg_{HEX.upper()}_7",
        f"msg_{JOB_ID}_7",
        f"dead_{HEX}_7",
        f"msg_{'0' * 32}_7",
    ],
)
def test_what_is_no_id_is_not_read_as_one(text: str) -> None:
    assert CallbackName.read(text) is None


@pytest.mark.parametrize("carried", [b"", b"{", b"[]", b'["{}"]', b'["{}","state","completed"]', b"\xff", b"[[1]]"])
def test_a_callback_that_cannot_be_read_is_said_to_be(carried: bytes) -> None:
    with pytest.raises(RecordUnreadable):
        decode_taken(NAME, partition=3, token="t", reply=[1, carried, b"", b"", b"anna", b"", 0, 0])


@pytest.mark.parametrize("parts", [(None, None, None, None), (b"\xff", b"many", b"{", b"-1")])
def test_whoever_looks_is_shown_what_can_be_read(parts: tuple[bytes | None, ...]) -> None:
    callback = decode_callback(NAME, None, parts, due_at_ms=5)

    assert (callback.state, callback.url, callback.attempt) == (CallbackState.WAITING, None, 0)
    assert (callback.tries, callback.next_try_at_ms, callback.asked_at_ms) == ((), 5, None)


def test_what_is_over_has_no_next_try() -> None:
    callback = decode_callback(NAME, None, (b"dead", None, None, None), due_at_ms=5)

    assert (callback.state, callback.next_try_at_ms) == (CallbackState.DEAD, None)


@pytest.mark.parametrize(("is_for_admins", "url"), [(False, "https://example.org/"), (True, None)])
def test_where_admins_are_told_is_nobodys_to_see(is_for_admins: bool, url: str | None) -> None:
    name = NAME._replace(is_for_admins=is_for_admins)

    assert decode_callback(name, b"https://example.org/", (b"dead", None, None, None), due_at_ms=5).url == url


@pytest.mark.parametrize(("state", "attempt"), [(b"delivering", 3), (b"delivered", 2), (None, 2)])
def test_a_try_under_way_is_counted_among_those_that_have_ended(state: bytes | None, attempt: int) -> None:
    assert decode_callback(NAME, None, (state, b"2", None, None), due_at_ms=None).attempt == attempt


@pytest.mark.parametrize("encoded", [b"", b"{", b"\xff", b"[1]"])
def test_tries_that_cannot_be_read_are_forgotten(encoded: bytes) -> None:
    assert decode_tries(encoded) == ()


def test_tries_are_read() -> None:
    assert decode_tries(b'[{"at_ms":1,"duration_ms":2,"status":503}]') == (DeliveryOutcome(1, 2, 503),)


def test_a_dead_callback_of_anybodys_making_is_shown() -> None:
    dead = decode_dead((b"1-0", [b"reason", b"\xff", b"attempts", b"many", b"status", b""]))

    assert (dead.dead_id, dead.attempts, dead.status, dead.reason, dead.job_id) == ("1-0", 0, None, "�", "")
