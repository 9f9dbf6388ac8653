"""`python -m processor doctor`: whether Redis is as Waybill needs it, and whether what it holds fits together."""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import Any

from processor.commands.backlog import look_at
from processor.commands.check import Check, Standing, gathered
from processor.commands.check_pages import check_json, check_page
from processor.commands.queue_checks import (
    Misfits,
    backlog_check,
    beyond_checks,
    callbacks_check,
    groups_check,
    letters_check,
    misfits_checks,
    partitions_check,
    processors_check,
    unseen_checks,
)
from processor.commands.server_checks import is_replica, server_checks
from processor.commands.terminal import page_columns
from shared import limits
from shared.errors import KeyForeign, RedisRefused, RedisUnavailable, UnavailableError
from shared.jobstore.access import Commands
from shared.jobstore.consistency import Consistency, Finding, Kind
from shared.jobstore.inspection import Inspection, agreed_partitions
from shared.jobstore.outbox import Outbox
from shared.jobstore.queue import Queue
from shared.jobstore.server_check import ServerFacts
from shared.jobstore.store import JobStore

COMMANDS = ("doctor",)


def add_to(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    own = commands.add_parser(
        COMMANDS[0],
        help="whether Redis is as Waybill needs it, and what it holds fits together",
        description="Looks at the server, its settings and all that it holds of Waybill, and says what to do. Changes "
        "nothing without --repair. Exit code 1 when something is wrong. See docs/operations.md. "
        "The only settings are REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD.",
        allow_abbrev=False,
    )
    own.add_argument(
        "--repair", action="store_true", help="put right what is safe: missing groups, entries, records, lists"
    )
    own.add_argument("--json", action="store_true", help="one JSON object")
    own.set_defaults(prepare=lambda options: lambda commands: _show(commands, options))


async def _show(commands: Commands, options: argparse.Namespace) -> int:
    checks = await _examine(commands, repairs=options.repair)
    if options.json:
        lines = [check_json(checks, redis=commands.location.shown)]
    else:
        lines = [commands.location.shown, "", *check_page(checks, width=page_columns())]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if any(check.standing is Standing.WRONG for check in checks) else 0


async def _examine(commands: Commands, *, repairs: bool) -> list[Check]:
    answers = await Inspection(commands).servers()
    servers = [answer for answer in answers if isinstance(answer, ServerFacts)]
    checks = [_away(answer) for answer in answers if isinstance(answer, RedisUnavailable)]
    checks += gathered([check for facts in servers for check in server_checks(facts, commands.location)])
    try:
        return checks + await _examine_jobs(commands, servers, repairs=repairs)
    except (KeyForeign, RedisUnavailable) as error:
        return [*checks, Check(Standing.WRONG, "partitions", error.message, "Nothing more can be seen until then.")]


def _away(error: RedisUnavailable) -> Check:
    return Check(Standing.WRONG, "server", error.message, "See whether it runs, and can be reached from here.")


async def _examine_jobs(commands: Commands, servers: Sequence[ServerFacts], *, repairs: bool) -> list[Check]:
    agreed = await agreed_partitions(commands)
    queues, unseen = await look_at(commands, agreed or 1)
    checks = [partitions_check(agreed, queues, servers, commands.location), *unseen_checks(unseen)]
    if agreed is None:
        return checks
    if any(map(is_replica, servers)):
        return [*checks, Check(Standing.NOTE, "jobs", "Not looked at: that is done on the master.")]
    if repairs and not all(queue.has_group for queue in queues):
        await JobStore(commands, partitions=agreed).prepare()
    outbox = Outbox(JobStore(commands, partitions=agreed))
    return [
        *checks,
        *beyond_checks(agreed, await _look_beyond(commands, agreed)),
        groups_check(queues, repaired=repairs),
        processors_check(queues),
        backlog_check(queues),
        letters_check(queues),
        callbacks_check([await outbox.counts(queue.partition) for queue in queues]),
        *await _walk(Consistency(commands, partitions=agreed), [queue.partition for queue in queues], repairs=repairs),
    ]


async def _look_beyond(commands: Commands, agreed: int) -> list[Queue]:
    last = min(agreed + limits.PARTITIONS_LOOKED_BEYOND, limits.MAX_PARTITIONS)
    inspection, found = Inspection(commands), []
    for partition in range(agreed, last):
        with contextlib.suppress(UnavailableError, KeyForeign):  # what is told of those that are agreed on is enough
            found.append(await inspection.queue(partition))
    return found


async def _walk(consistency: Consistency, partitions: Sequence[int], *, repairs: bool) -> list[Check]:
    misfits = Misfits()
    try:
        for partition in partitions:
            async for page in consistency.walk(partition):
                misfits.looked_at += page.jobs
                for finding in page.findings:
                    is_repaired = repairs and await consistency.repair(finding)
                    # What could be put right, and was not, is not so any more.
                    if is_repaired or not repairs or finding.kind is Kind.RECORD_UNREADABLE:
                        _count(misfits, finding, is_repaired=is_repaired)
    except RedisRefused as error:
        remedy = "docs/redis.md has the ACL." if error.is_for_lack_of_rights else ""
        return [
            *misfits_checks(misfits),
            Check(Standing.NOTE, "jobs", f"Not all could be looked at. {error.message}", remedy),
        ]
    return misfits_checks(misfits)


def _count(misfits: Misfits, finding: Finding, *, is_repaired: bool) -> None:
    misfits.counts[finding.kind] += 1
    misfits.repaired[finding.kind] += is_repaired
    misfits.sentences[finding.kind] = finding.sentence
    examples = misfits.examples.setdefault(finding.kind, [])
    if len(examples) < limits.MISFITS_LISTED:
        examples.append(finding.job_id)
