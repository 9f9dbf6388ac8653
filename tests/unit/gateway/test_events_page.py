"""Pages of the event log."""

import msgspec

from gateway.routes.events import page
from shared.event_id import START, EventId

LOG = [(EventId(1, seq), b'{"type":"progress","seq":%d}' % seq) for seq in range(1, 6)]


def test_page_carries_ids_inside_the_events_and_says_that_more_follow() -> None:
    shown = msgspec.json.decode(msgspec.json.encode(page(LOG[:3], START, 2)))

    assert shown == {
        "events": [{"id": "1-1", "type": "progress", "seq": 1}, {"id": "1-2", "type": "progress", "seq": 2}],
        "next_after": "1-2",
        "has_more": True,
    }


def test_page_after_the_end_is_empty_and_keeps_the_cursor() -> None:
    shown = page([], EventId(1, 5), 10)

    assert (shown.events, shown.next_after, shown.has_more, shown.gap) == ([], "1-5", False, None)


def test_page_after_trimmed_history_tells_the_gap() -> None:
    shown = page(LOG[3:], EventId(1, 1), 10)

    assert shown.gap is not None
    assert (shown.gap.from_, shown.gap.to, shown.gap.missed) == ("1-1", "1-3", 2)
