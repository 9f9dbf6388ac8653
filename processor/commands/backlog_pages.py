"""The backlog as text for a terminal, and as one line of JSON. Pure.

what there is, and who works on it      the sentences to read first
partition by partition                  the numbers; those with nothing in them are passed over
processors                              who they are, what they hold, when they were heard of
waiting longest                         the jobs to look at with `jobs show`
"""

import json
from collections.abc import Sequence

import msgspec

from processor.commands.letter_pages import printable
from processor.commands.wording import columns, count, moment, spoken, wrapped
from shared import limits
from shared.jobstore.queue import Holder, Queue, Waiting, together

_HEAD = ("PARTITION", "WAITING", "RUNNING", "PARKED", "READY", "UNFINISHED", "DEAD", "OLDEST")
_SILENT = spoken(limits.PROCESSOR_SILENT_MS)


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of all partitions; `unseen` says why a partition could not be looked at.

    `is_new`: no process of Waybill has ever started on this Redis.
    """

    redis: str
    queues: tuple[Queue, ...]
    unseen: dict[int, str] = {}
    is_new: bool = False

    @property
    def at_ms(self) -> int:
        """When this was, in milliseconds since 1970 on Redis' clock."""
        return max((queue.at_ms for queue in self.queues), default=0)

    @property
    def holders(self) -> list[Holder]:
        """The processors of all partitions, those that were heard of last first."""
        return together(self.queues)

    @property
    def longest(self) -> list[Waiting]:
        """The jobs that wait longest for a processor, the oldest first."""
        found = [waiting for queue in self.queues for waiting in (*queue.unread, *queue.to_take_up)]
        return sorted(found, key=lambda waiting: waiting.since_ms)[: limits.WAITING_JOBS_LISTED]


def is_alive(holder: Holder) -> bool:
    """Tell whether a processor was heard of lately."""
    return holder.idle_ms <= limits.PROCESSOR_SILENT_MS


# ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def backlog_page(overview: Overview, *, width: int) -> list[str]:
    """Write the backlog as lines, the sentences first."""
    sections = [
        [f"{overview.redis} at {moment(overview.at_ms)} UTC"],
        [line for sentence in verdict(overview) for line in wrapped(sentence, width=width)],
        _partitions(overview),
        _processors(overview.holders),
        _longest(overview),
    ]
    return [line for section in sections if section for line in ("", *section)][1:]


def verdict(overview: Overview) -> list[str]:
    """Say in sentences what there is to do, and whether anybody does it."""
    if overview.is_new:
        return [
            "No process of Waybill has started on this Redis yet. If there should be jobs, REDIS_URL leads to the "
            "wrong server or database, or the server has lost its data: see doctor."
        ]
    return [
        *(f"Partition {number} cannot be looked at: {why}" for number, why in sorted(overview.unseen.items())),
        *_groupless(overview),
        _work(overview),
        *_workers(overview),
    ]


def _groupless(overview: Overview) -> list[str]:
    lacking = [queue.partition for queue in overview.queues if not queue.has_group]
    if not lacking:
        return []
    which = ", ".join(map(str, lacking[:10])) + ("…" if len(lacking) > 10 else "")
    return [f"The consumer group is missing in partition {which}: see doctor."]


def _work(overview: Overview) -> str:
    whole = _sum(overview.queues)
    if not whole.unfinished:
        return "No job is unfinished."
    standing = (
        (whole.waiting, "waiting"),
        (whole.running, "running"),
        (whole.parked, "parked"),
        (whole.ready, "ready"),
    )
    parts = ", ".join(f"{number:,} {word}" for number, word in standing if number)
    oldest = f"; the oldest has waited for {spoken(_oldest_ms(overview.queues))}" if whole.waiting else ""
    return f"{count(whole.unfinished, 'unfinished job')}: {parts}{oldest}."


def _workers(overview: Overview) -> list[str]:
    alive = [holder for holder in overview.holders if is_alive(holder)]
    lost = sum(holder.entries for holder in overview.holders if not is_alive(holder))
    if not alive and not any(queue.waiting or queue.ready for queue in overview.queues):
        # XREADGROUP that finds nothing leaves no trace before Redis 7.2.
        return [f"No processor was heard of in the last {_SILENT}; before Redis 7.2 idle ones are not."]
    if not alive:
        return [
            f"Nobody works: no processor was heard of in the last {_SILENT}. Start one (python -m processor), or see "
            "the logs and /readyz of those that run."
        ]
    sentences = [f"{count(len(alive), 'processor')} at work."]
    if lost:
        sentences.append(
            f"{count(lost, 'job')} in the hands of silent processors: taken over as soon as the leases have run out."
        )
    return sentences


def _partitions(overview: Overview) -> list[str]:
    if overview.is_new:
        return []
    several = len(overview.queues) + len(overview.unseen) > 1
    shown = [queue for queue in overview.queues if queue.unfinished or queue.dead_letters] if several else []
    rows = [_HEAD, *(_row(str(queue.partition), queue, queue.oldest_waiting_ms) for queue in shown)]
    rows.append(_row("all", _sum(overview.queues), _oldest_ms(overview.queues)))
    passed_over = len(overview.queues) - len(shown) if several else 0
    return [
        *columns(rows, right=range(1, len(_HEAD))),
        *([f"{count(passed_over, 'more partition')} without jobs and letters"] if passed_over else []),
        "UNFINISHED is the length of the command stream: what KEDA scales by.",
    ]


def _row(name: str, queue: Queue, oldest_ms: int) -> tuple[str, ...]:
    numbers = (queue.waiting, queue.running, queue.parked, queue.ready, queue.unfinished, queue.dead_letters)
    return (name, *(f"{number:,}" for number in numbers), spoken(oldest_ms) if oldest_ms else "-")


def _processors(holders: Sequence[Holder]) -> list[str]:
    if not holders:
        return []
    rows = [("PROCESSOR", "JOBS", "HEARD OF")]
    for holder in holders:
        silent = "" if is_alive(holder) else ", silent"
        rows.append((printable(holder.name), f"{holder.entries:,}", f"{spoken(holder.idle_ms)} ago{silent}"))
    return columns(rows, right=[1])


def _longest(overview: Overview) -> list[str]:
    if not overview.longest:
        return []
    rows = [("WAITING LONGEST", "FOR")]
    rows += [(printable(waiting.job_id), spoken(overview.at_ms - waiting.since_ms)) for waiting in overview.longest]
    return [*columns(rows, right=[1]), "See each with: jobs show ID"]


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def backlog_json(overview: Overview) -> str:
    """Write the backlog as one line of JSON; durations are milliseconds."""
    whole = {
        "redis": overview.redis,
        "at_ms": overview.at_ms,
        **_numbers(_sum(overview.queues), _oldest_ms(overview.queues)),
        "processors_alive": sum(map(is_alive, overview.holders)),
        "partitions": [
            {"partition": queue.partition, "has_group": queue.has_group, **_numbers(queue, queue.oldest_waiting_ms)}
            for queue in overview.queues
        ],
        "unseen": [{"partition": number, "reason": why} for number, why in sorted(overview.unseen.items())],
        "processors": [{**holder._asdict(), "is_alive": is_alive(holder)} for holder in overview.holders],
        "waiting_longest": [
            {"job_id": waiting.job_id, "waits_ms": max(0, overview.at_ms - waiting.since_ms)}
            for waiting in overview.longest
        ],
    }
    # By json and not by msgspec, because it escapes what is not ASCII: a terminal may be what reads it.
    return json.dumps(whole)


def _numbers(queue: Queue, oldest_ms: int) -> dict[str, int]:
    return {
        "unfinished": queue.unfinished,
        "waiting": queue.waiting,
        "running": queue.running,
        "parked": queue.parked,
        "ready": queue.ready,
        "dead_letters": queue.dead_letters,
        "oldest_waiting_ms": oldest_ms,
    }


def _sum(queues: Sequence[Queue]) -> Queue:
    names = ("unfinished", "dead_letters", "pending", "parked", "ready")
    return Queue(partition=-1, at_ms=0, **{name: sum(getattr(queue, name) for queue in queues) for name in names})


def _oldest_ms(queues: Sequence[Queue]) -> int:
    return max((queue.oldest_waiting_ms for queue in queues), default=0)
