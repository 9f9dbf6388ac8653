"""What Redis holds of Waybill, judged row by row: partitions, groups, processors, letters, what does not fit. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from processor.commands.backlog_pages import is_alive
from processor.commands.check import Check, Standing
from processor.commands.wording import count, listed, spoken
from shared import limits
from shared.jobstore.callback import OutboxCounts
from shared.jobstore.location import Mode, RedisLocation
from shared.jobstore.queue import Queue, together
from shared.jobstore.server_check import ServerFacts

UNREADABLE = "record_unreadable"
LONG_WAIT_MS = 600_000  # longer than most runs: more processors would help
PARTITIONS_LISTED = 10
FORGOTTEN_NAMES = 1_000  # of consumers; each look at a group goes through all of them

_ok, _note, _wrong, _mended = (
    partial(Check, standing) for standing in (Standing.OK, Standing.NOTE, Standing.WRONG, Standing.MENDED)
)


class Misfits(msgspec.Struct, kw_only=True):
    """What does not fit together: how many of each kind, with its sentence and the first jobs.

    `looked_at` counts the places that were looked at: a job has an entry, a record, a visit of the janitor, a listing.
    """

    looked_at: int = 0
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    repaired: Counter[str] = msgspec.field(default_factory=Counter)
    sentences: dict[str, str] = {}
    examples: dict[str, list[str]] = {}


def callbacks_check(counts: Sequence[OutboxCounts]) -> Check:
    """Judge whether callbacks are delivered, and say how many were given up."""
    waiting, dead = sum(each.waiting for each in counts), sum(each.dead for each in counts)
    overdue_ms = max((each.overdue_ms for each in counts), default=0)
    found = f"{count(waiting, 'callback waits', 'callbacks wait')}, {count(dead, 'was', 'were')} given up."
    if overdue_ms > limits.CALLBACKS_OVERDUE_MS:
        return _wrong(
            "callbacks",
            f"{found} One has been due for {spoken(overdue_ms)}, and nobody has tried it.",
            "See whether processors run, and what their logs say of callbacks.",
        )
    if dead:
        return _note("callbacks", found, "See python -m processor callbacks dead.")
    return _ok("callbacks", found)


def partitions_check(
    agreed: int | None, queues: Sequence[Queue], servers: Sequence[ServerFacts], location: RedisLocation
) -> Check:
    """Judge whether there is anything of ours, and in how many parts."""
    if agreed is not None:
        if location.mode is Mode.CLUSTER and agreed == 1:
            return _note(
                "partitions",
                "1 on a cluster: one node has all jobs.",
                "Set WAYBILL_PARTITIONS to 16 on all processes, and restart them.",
            )
        return _ok("partitions", f"{agreed:,} agreed on.")
    if any(queue.unfinished or queue.has_group or queue.dead_letters for queue in queues):
        return _wrong(
            "partitions",
            "Their number (waybill:partitions) is missing, though there are jobs: what is in further ones is not seen.",
            "Start a processor with the WAYBILL_PARTITIONS that was in use: it writes the number.",
        )
    others = sum(_keys(facts, location.db) for facts in servers)
    found = f"It holds {count(others, 'key')} of others" if others else "It is empty"
    return _note(
        "partitions",
        f"No process of Waybill has started on this Redis (database {location.db}). {found}.",
        "If there should be jobs: REDIS_URL leads to the wrong server or database, or the server has lost its data.",
    )


def _keys(facts: ServerFacts, db: int) -> int:
    fields = dict(field.partition("=")[::2] for field in facts.info.get(f"db{db}", "").split(","))
    return int(fields.get("keys", "0"))


def unseen_checks(unseen: Mapping[int, str]) -> list[Check]:
    """Tell which partitions could not be looked at, and why."""
    by_reason: dict[str, list[int]] = {}
    for partition, reason in sorted(unseen.items()):
        by_reason.setdefault(reason, []).append(partition)
    return [
        _wrong(
            "partitions",
            f"Cannot be looked at: {listed(partitions, PARTITIONS_LISTED)}. {reason}",
            "Their jobs wait, and calls about them get 503, until this is mended.",
        )
        for reason, partitions in by_reason.items()
    ]


def beyond_checks(agreed: int, queues: Sequence[Queue]) -> list[Check]:
    """Judge what lies in partitions beyond the agreed number, where no process looks."""
    filled = [queue for queue in queues if queue.unfinished or queue.dead_letters]
    if not filled:
        return []
    highest = max(queue.partition for queue in filled)
    unfinished, letters = sum(queue.unfinished for queue in filled), sum(queue.dead_letters for queue in filled)
    which = listed([queue.partition for queue in filled], PARTITIONS_LISTED)
    return [
        _wrong(
            "partitions",
            f"{count(unfinished, 'job')} and {count(letters, 'dead letter')} lie beyond the {agreed:,} that are agreed "
            f"on, in partition {which}: no process looks there.",
            f"Set WAYBILL_PARTITIONS to at least {highest + 1} on all processes, and restart them.",
        )
    ]


def groups_check(queues: Sequence[Queue], *, repaired: bool) -> Check:
    """Judge whether the entries of each partition can be handed out."""
    lacking = [queue.partition for queue in queues if not queue.has_group]
    which = listed(lacking, PARTITIONS_LISTED)
    if lacking and repaired:
        return _mended("groups", f"The consumer group was missing in partition {which}, and was made.")
    if lacking:
        return _wrong(
            "groups",
            f"The consumer group is missing in partition {which}: its entries are handed to nobody.",
            "doctor --repair makes it; a processor does too, at its start and when it comes upon it.",
        )
    return _ok("groups", f"The consumer group is there in {count(len(queues), 'partition')}.")


def processors_check(queues: Sequence[Queue]) -> Check:
    """Judge whether anybody works."""
    holders = together(queues)
    alive = sum(map(is_alive, holders))
    waiting = sum(queue.waiting + queue.ready for queue in queues)
    names = max((queue.others for queue in queues), default=0)
    silent = spoken(limits.PROCESSOR_SILENT_MS)
    if not alive and waiting:
        return _wrong(
            "processors",
            f"None was heard of in the last {silent}, and {count(waiting, 'job')} wait for one.",
            "Start some (python -m processor), or see the logs and /readyz of those that run.",
        )
    if not alive:
        return _note("processors", f"None was heard of in the last {silent}; before Redis 7.2 idle ones are not.")
    if names > FORGOTTEN_NAMES:
        return _note(
            "processors",
            f"{alive:,} at work; Redis remembers {names:,} names of processors that are gone.",
            "The janitor removes those that hold no entry: see whether a processor runs.",
        )
    return _ok("processors", f"{alive:,} at work.")


def backlog_check(queues: Sequence[Queue]) -> Check:
    """Judge how long jobs wait."""
    unfinished = sum(queue.unfinished for queue in queues)
    oldest_ms = max((queue.oldest_waiting_ms for queue in queues), default=0)
    if oldest_ms > LONG_WAIT_MS:
        return _note(
            "backlog",
            f"{count(unfinished, 'unfinished job')}; the oldest has waited for {spoken(oldest_ms)}.",
            f"Start more processors: a job ends as EXPIRED after {spoken(limits.MAX_WAITING_MS)} of waiting.",
        )
    return _ok("backlog", f"{count(unfinished, 'unfinished job')}.")


def letters_check(queues: Sequence[Queue]) -> Check:
    """Tell how many jobs failed for good and were not dealt with."""
    letters = sum(queue.dead_letters for queue in queues)
    if letters:
        return _note("letters", f"{count(letters, 'dead letter')}.", "See dead-letters list; redrive or discard them.")
    return _ok("letters", "No dead letters.")


def misfits_checks(misfits: Misfits) -> list[Check]:
    """Judge whether entries, records and lists fit together."""
    looked_at = f"{count(misfits.looked_at, 'place')} of jobs looked at"
    if not misfits.counts:
        return [_ok("jobs", f"{looked_at}: entries, records and lists fit together.")]
    return [_misfit(misfits, kind) for kind in sorted(misfits.counts)]


def _misfit(misfits: Misfits, kind: str) -> Check:
    number, repaired = misfits.counts[kind], misfits.repaired[kind]
    examples = misfits.examples.get(kind, [])
    more = f" and {number - len(examples):,} more" if number > len(examples) else ""
    found = f"{kind}, {count(number, 'time')}. {misfits.sentences.get(kind, '')} {', '.join(examples)}{more}"
    if number == repaired:
        return _mended("jobs", found)
    remedy = "See jobs show ID; the next claim ends it." if kind == UNREADABLE else "doctor --repair puts it right."
    return _wrong("jobs", f"{found}; {repaired:,} put right" if repaired else found, remedy)
