"""Spans that reach no collector are counted."""

from shared.telemetry.span_losses import SpanLosses


def test_each_span_beyond_a_full_queue_is_one_that_is_lost() -> None:
    losses = SpanLosses(most_waiting=3)

    for _ in range(5):
        losses.note_queued()
    losses.note_batch(2)
    losses.note_queued()

    assert losses.total == 2


def test_what_a_collector_has_not_taken_is_lost_too() -> None:
    losses = SpanLosses(most_waiting=3)
    losses.note_queued()
    losses.note_batch(1)

    losses.note_not_taken(1)

    assert losses.total == 1
