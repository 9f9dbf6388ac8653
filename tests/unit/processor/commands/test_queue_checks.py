"""What Redis holds of Waybill is judged row by row; a row that is not ok says what to do."""

from collections import Counter

from processor.commands.check import Check, Standing
from processor.commands.check_pages import check_json, check_page
from processor.commands.queue_checks import (
    Misfits,
    backlog_check,
    groups_check,
    letters_check,
    misfits_checks,
    partitions_check,
    processors_check,
    unseen_checks,
)
from shared import limits
from shared.jobstore.location import parse_location
from shared.jobstore.queue import Holder, Queue, Waiting
from shared.jobstore.server_check import ServerFacts

HERE = parse_location("redis://h:1/2")
AT_MS = 1_795_461_600_123
EMPTY = Queue(partition=0, at_ms=AT_MS)
READY = Queue(partition=0, at_ms=AT_MS, has_group=True)
BUSY = Queue(partition=0, at_ms=AT_MS, has_group=True, unfinished=1, unread=(Waiting("j", AT_MS - 700_000),))


def server(keyspace: str = "") -> ServerFacts:
    """Describe a server with this line about database 2."""
    return ServerFacts("", {"db2": keyspace} if keyspace else {}, None, 1, 0)


def test_a_redis_without_anything_of_ours_is_noted_with_what_it_holds() -> None:
    empty = partitions_check(None, [EMPTY], [server()], HERE)
    foreign = partitions_check(None, [EMPTY], [server("keys=12345,expires=0,avg_ttl=0")], HERE)

    assert (empty.standing, foreign.standing) == (Standing.NOTE, Standing.NOTE)
    assert "(database 2). It is empty." in empty.found
    assert "It holds 12,345 keys of others." in foreign.found


def test_jobs_without_the_number_of_partitions_are_wrong() -> None:
    assert partitions_check(None, [READY], [server()], HERE).standing is Standing.WRONG


def test_one_partition_on_a_cluster_is_noted() -> None:
    cluster = parse_location("redis+cluster://h:1")

    assert partitions_check(1, [READY], [server()], HERE).standing is Standing.OK
    assert partitions_check(1, [READY], [server()], cluster).standing is Standing.NOTE
    assert partitions_check(16, [READY], [server()], cluster).standing is Standing.OK


def test_partitions_that_cannot_be_seen_for_one_reason_are_one_row() -> None:
    [check] = unseen_checks({3: "no answer", 7: "no answer"})

    assert check.found == "Cannot be looked at: 3, 7. no answer"


def test_a_missing_group_is_wrong_until_it_is_made() -> None:
    assert groups_check([READY], repaired=False).standing is Standing.OK
    assert groups_check([READY, EMPTY], repaired=False).standing is Standing.WRONG
    assert groups_check([READY, EMPTY], repaired=True).standing is Standing.MENDED


def test_nobody_at_work_is_wrong_only_while_jobs_wait() -> None:
    working = Queue(partition=0, at_ms=AT_MS, has_group=True, holders=(Holder("p1", 0, 10),))
    crowded = Queue(partition=0, at_ms=AT_MS, has_group=True, holders=(Holder("p1", 0, 10),), others=5_000)

    assert processors_check([READY]).standing is Standing.NOTE
    assert processors_check([BUSY]).standing is Standing.WRONG
    assert processors_check([working]).found == "1 at work."
    assert "5,000 names of processors that are gone" in processors_check([crowded]).found


def test_a_long_wait_is_noted_with_how_long() -> None:
    check = backlog_check([BUSY])

    assert (check.standing, check.found) == (Standing.NOTE, "1 unfinished job; the oldest has waited for 11 min 40 s.")
    assert backlog_check([READY]).standing is Standing.OK


def test_dead_letters_are_noted() -> None:
    letters = Queue(partition=0, at_ms=AT_MS, dead_letters=2)

    assert letters_check([letters]).found == "2 dead letters."
    assert letters_check([READY]).standing is Standing.OK


def test_what_does_not_fit_is_one_row_for_each_kind_with_examples() -> None:
    misfits = Misfits(
        looked_at=99,
        counts=Counter(record_unreadable=1, entry_without_record=5),
        repaired=Counter(entry_without_record=5),
        sentences={"entry_without_record": "No record."},
        examples={"entry_without_record": ["a", "b"][: limits.MISFITS_LISTED]},
    )

    mended, unreadable = misfits_checks(misfits)

    assert (mended.standing, mended.found) == (
        Standing.MENDED,
        "entry_without_record, 5 times. No record. a, b and 3 more",
    )
    assert (unreadable.standing, unreadable.remedy) == (Standing.WRONG, "See jobs show ID; the next claim ends it.")
    assert misfits_checks(Misfits(looked_at=3))[0].standing is Standing.OK


def test_a_page_has_a_row_for_each_check_its_remedy_below_and_the_counts_last() -> None:
    checks = [Check(Standing.WRONG, "disk", "Off\x1b[2J.", "Set it.", "a"), Check(Standing.OK, "role", "master.")]

    page = check_page(checks, width=80)

    assert page == [
        "wrong   disk  a: Off\ufffd[2J.",
        "              → Set it.",
        "ok      role  master.",
        "",
        "1 wrong, 0 notes.",
    ]
    assert check_json(checks, redis="redis://h").isprintable()
