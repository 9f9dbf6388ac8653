"""`python -m processor jobs show ID`: one job, as Redis has it and in words."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from processor.commands.backlog_pages import is_alive
from processor.commands.history import Event
from processor.commands.job_pages import JobSight, job_json, job_page
from processor.commands.letter_pages import printable
from processor.commands.terminal import page_columns
from shared.errors import KeyForeign, RecordUnreadable
from shared.jobs import JobRecord, partition_of
from shared.jobstore.access import Commands
from shared.jobstore.dead_letters import DeadLetters
from shared.jobstore.inspection import Inspection, agreed_partitions
from shared.jobstore.letter import is_letter_id
from shared.jobstore.record import decode_record, mend

COMMANDS = ("jobs",)

_LOST = "Its caller must create it again."
_DAMAGED = "Unless it has ended, the next processor that takes it ends it, with a dead letter (reason damaged)."


def add_to(commands: Any) -> None:
    """Add the command, with its one action, to a parser's subparsers."""
    own = commands.add_parser(
        COMMANDS[0],
        help="one job: its record, where it stands, what happened to it",
        description="One job, as Redis has it. See docs/operations.md. "
        "The only settings are REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD.",
        allow_abbrev=False,
    )
    actions = own.add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser("show", help="all about one job, its history in words", allow_abbrev=False)
    show.add_argument("id", metavar="ID", help="of the job")
    show.add_argument("--json", action="store_true", help="one JSON object, with the record and every event")
    show.set_defaults(prepare=lambda options: lambda commands: _show(commands, options))


async def _show(commands: Commands, options: argparse.Namespace) -> int:
    job_id = options.id.strip().lower()
    partitions = await agreed_partitions(commands) or 1
    partition = partition_of(job_id)
    if partition is None or partition >= partitions:
        return _refuse(_no_id_of_ours(job_id, partition, partitions))
    sight = await _look_at(Inspection(commands), job_id, partition)
    if sight.is_unfinished and sight.hold is None:
        # It may have ended between the two looks, at its record and at its entry.
        sight = await _look_at(Inspection(commands), job_id, partition)
    if not sight.trouble and sight.record is None:
        return _refuse(await _nothing_known(DeadLetters(commands, partitions=partitions), job_id))
    lines = [job_json(sight)] if options.json else job_page(sight, width=page_columns())
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    return 1 if sight.trouble else 0


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"{printable(sentence)}\n")
    return 1


def _no_id_of_ours(job_id: str, partition: int | None, partitions: int) -> str:
    if partition is not None:
        return (
            f"Job {job_id} belongs to partition {partition}, and this Redis has {partitions}: "
            "it is a job of another Redis, or of another database of it."
        )
    if is_letter_id(job_id):
        return f"{job_id} is the id of a dead letter: see dead-letters show {job_id}."
    return f"{job_id!r} is no job's id: those have 36 characters, as in the answer to the POST."


async def _nothing_known(letters: DeadLetters, job_id: str) -> str:
    if await letters.find(job_id):
        return f"Redis has forgotten job {job_id}; its dead letter is still there: see dead-letters show {job_id}."
    return (
        f"There is no job {job_id}: it was never created here, was lost with what Redis lost, or ended so long ago "
        "that it is forgotten."
    )


async def _look_at(inspection: Inspection, job_id: str, partition: int) -> JobSight:
    queue = await inspection.queue(partition)
    flat, unreadable = await _fields_of(inspection, job_id)
    record, damaged = _read(job_id, flat, queue.at_ms)
    events, has_all_events, illegible = await _log_of(inspection, job_id)
    deleted = f"Redis has its log, and no record of it: somebody has deleted that. {_LOST}"
    trouble = unreadable or damaged or illegible or (deleted if events and not flat else "")
    return JobSight(
        job_id=job_id,
        partition=partition,
        at_ms=queue.at_ms,
        fields={flat[i].decode(errors="replace"): flat[i + 1] for i in range(0, len(flat), 2)},
        record=record,
        trouble=trouble,
        hold=await inspection.hold(job_id, record.entry) if record else None,
        events=events,
        has_all_events=has_all_events,
        workers=sum(map(is_alive, queue.holders)),
    )


async def _fields_of(inspection: Inspection, job_id: str) -> tuple[Sequence[bytes], str]:
    try:
        return await inspection.record(job_id), ""
    except KeyForeign as error:
        return (), error.message


async def _log_of(inspection: Inspection, job_id: str) -> tuple[list[Event], bool, str]:
    try:
        return (*await inspection.log(job_id), "")
    except KeyForeign as error:
        return [], True, error.message


def _read(job_id: str, flat: Sequence[bytes], now_ms: int) -> tuple[JobRecord | None, str]:
    try:
        return decode_record(job_id, flat), ""
    except RecordUnreadable as error:
        names, _ = mend(flat, now_ms=now_ms)
        which = f"these fields of its record cannot be read: {', '.join(names)}" if names else error.message
        return None, f"Damaged, or of another version of Waybill: {which}. {_DAMAGED}"
