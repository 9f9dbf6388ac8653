import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event_id import START, EventId

IDS = st.builds(EventId, st.integers(0, 10**10 - 1), st.integers(0, 10**15 - 1))


@given(IDS)
def test_an_id_reads_back_as_it_was_written(event_id: EventId) -> None:
    assert EventId.parse(str(event_id)) == event_id
    assert event_id.encode().decode() == str(event_id)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "1",
        "1-",
        "-1",
        "01-1",
        "1-01",
        "+1-1",
        "1-1 ",
        " 1-1",
        "1-1\n",
        "1--1",
        "1-1-1",
        "1_0-1",
        "a-b",
        "1.0-1",
    ]
    + ["²-1", "١-1", "1" * 11 + "-1", "1-" + "1" * 16, "$", "0-0-0"],
)
def test_a_text_in_any_other_form_is_no_id(text: str) -> None:
    assert EventId.parse(text) is None


@given(st.text(max_size=30))
def test_reading_any_text_never_fails_and_what_it_reads_is_canonical(text: str) -> None:
    event_id = EventId.parse(text)

    assert event_id is None or str(event_id) == text


@given(IDS, IDS)
def test_ids_compare_in_log_order(one: EventId, other: EventId) -> None:
    assert (one < other) == ((one.epoch, one.seq) < (other.epoch, other.seq))


def test_the_start_is_before_every_event() -> None:
    assert EventId(0, 1) > START
    assert EventId.parse("0-0") == START


@given(IDS)
def test_the_next_event_has_the_next_seq_and_no_lower_epoch(event_id: EventId) -> None:
    epoch, seq = event_id

    assert event_id.is_followed_by(EventId(epoch, seq + 1))
    assert event_id.is_followed_by(EventId(epoch + 3, seq + 1))
    assert not event_id.is_followed_by(event_id)
    assert not event_id.is_followed_by(EventId(epoch, seq + 2))
    assert not event_id.is_followed_by(EventId(epoch + 1, seq))
    assert not EventId(epoch + 1, seq).is_followed_by(EventId(epoch, seq + 1))
