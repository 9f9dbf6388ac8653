"""The backlog in words: what there is, whether anybody works on it, and nothing that a terminal would obey."""

import json

from processor.commands.backlog_pages import Overview, backlog_json, backlog_page, verdict
from shared import limits
from shared.jobstore.queue import Holder, Queue, Waiting

AT_MS = 1_795_461_600_123
SILENT_MS = limits.PROCESSOR_SILENT_MS + 1
HOSTILE = "x\x1b[2J\r\n"


def queue(partition: int = 0, *, waits_ms: int = 0, held: int = 0, holders: tuple[Holder, ...] = ()) -> Queue:
    """Describe a partition: an entry that has waited for `waits_ms`, if any, and `held` ones that processors hold."""
    unread = (Waiting("job-1", AT_MS - waits_ms),) if waits_ms else ()
    return Queue(
        partition=partition,
        at_ms=AT_MS,
        has_group=True,
        unfinished=held + len(unread),
        pending=held,
        holders=holders,
        unread=unread,
    )


def overview(*queues: Queue, unseen: dict[int, str] | None = None) -> Overview:
    """See these partitions."""
    return Overview(redis="redis://h:1/0", queues=queues, unseen=unseen or {})


def test_nothing_to_do_is_one_sentence() -> None:
    assert verdict(overview(queue(holders=(Holder("p1", 0, 10),)))) == ["No job is unfinished.", "1 processor at work."]


def test_idle_processors_that_an_old_redis_does_not_show_are_not_called_missing() -> None:
    [_, workers] = verdict(overview(queue()))

    assert workers == "No processor was heard of in the last 15 s; before Redis 7.2 idle ones are not."


def test_waiting_jobs_without_anybody_who_works_are_called_so() -> None:
    [work, workers] = verdict(overview(queue(waits_ms=185_000, holders=(Holder("p1", 0, SILENT_MS),))))

    assert work == "1 unfinished job: 1 waiting; the oldest has waited for 3 min 5 s."
    assert workers.startswith("Nobody works: no processor was heard of in the last 15 s.")


def test_a_processor_that_fell_silent_with_jobs_is_told_beside_those_that_work() -> None:
    alive, silent = Holder("p1", 1, 10), Holder("p2", 2, SILENT_MS)

    sentences = verdict(overview(queue(held=3, holders=(alive, silent))))

    assert sentences[1:] == [
        "1 processor at work.",
        "2 jobs in the hands of silent processors: taken over as soon as the leases have run out.",
    ]


def test_a_processor_of_several_partitions_is_one() -> None:
    seen = overview(
        queue(0, held=1, holders=(Holder("p1", 1, 900),)),
        queue(1, held=2, holders=(Holder("p1", 2, 100),)),
    )

    assert seen.holders == [Holder("p1", 3, 100)]


def test_the_oldest_of_all_partitions_wait_longest() -> None:
    seen = overview(*(queue(number, waits_ms=1_000 * (number + 1)) for number in range(8)))

    waits = [seen.at_ms - waiting.since_ms for waiting in seen.longest]

    assert waits == [8_000, 7_000, 6_000, 5_000, 4_000]
    assert json.loads(backlog_json(seen))["oldest_waiting_ms"] == 8_000


def test_partitions_without_anything_are_counted_and_not_listed() -> None:
    page = backlog_page(overview(*(queue(number) for number in range(15)), queue(15, waits_ms=1_000)), width=80)

    head = next(place for place, line in enumerate(page) if line.startswith("PARTITION"))
    assert [line.split()[0] for line in page[head + 1 : head + 3]] == ["15", "all"]
    assert page[head + 3] == "15 more partitions without jobs and letters"


def test_what_cannot_be_seen_is_told_first() -> None:
    [first, *_] = verdict(overview(queue(0), unseen={1: "no answer"}))

    assert first == "Partition 1 cannot be looked at: no answer"


def test_no_name_moves_the_cursor_of_who_reads_it() -> None:
    hostile = Queue(
        partition=0,
        at_ms=AT_MS,
        unfinished=2,
        pending=1,
        holders=(Holder(HOSTILE, 1, 10),),
        unread=(Waiting(HOSTILE, AT_MS),),
    )

    assert all(line.isprintable() for line in backlog_page(overview(hostile), width=80))
    assert backlog_json(overview(hostile)).isprintable()
