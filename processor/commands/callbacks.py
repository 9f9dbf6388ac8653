"""`python -m processor callbacks list | show | dead | redeliver | test`: its options, and what each of them does."""

import argparse
import asyncio
import heapq
import os
import secrets
import shutil
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import chain
from typing import Any, cast

from processor.callbacks.courier import ADMINS, Courier, Terms
from processor.callbacks.message import trial_body
from processor.callbacks.name_look_up import NameLookUp
from processor.commands.callback_pages import callback_json, dead_json, dead_page, job_page, waiting_page
from processor.commands.letter_pages import printable
from shared import limits
from shared.clock import now_ms
from shared.environment import load
from shared.errors import SettingsError
from shared.jobstore.access import Commands
from shared.jobstore.callback import CallbackRecord
from shared.jobstore.inspection import agreed_partitions
from shared.jobstore.outbox import Outbox, Redelivered
from shared.jobstore.partitions import read_each
from shared.jobstore.store import JobStore
from shared.processor_settings import ProcessorSettings
from shared.service import explaining
from shared.telemetry.logging import configure_logging

COMMANDS = ("callbacks",)

_ANSWERS = {
    Redelivered.OK: "is due now, with the same id",
    Redelivered.UNCHANGED: "is being told, or was within the minute",
    Redelivered.NOT_ENDED: "has not ended: there is nothing to tell yet",
    Redelivered.NO_CALLBACK: "has no callback_url: nobody is to be told",
    Redelivered.GONE: "is gone, or its callback was told so long ago that it is forgotten",
}
_ANSWERS_FOR_ADMINS = _ANSWERS | {
    Redelivered.OK: "is due for admins now, with the same id",
    Redelivered.NO_CALLBACK: "is nothing that admins were told of",
}


def add_to(commands: Any) -> None:
    """Add the command, with its actions, to a parser's subparsers."""
    own = commands.add_parser(
        COMMANDS[0],
        help="what tells others of jobs' ends: list, show, dead, redeliver, test",
        description="Callbacks that wait, that were given up, and what was answered. See docs/callbacks.md. "
        "The only settings are REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD; those of test are the processor's.",
        allow_abbrev=False,
    )
    actions = own.add_subparsers(metavar="ACTION", required=True)
    _add(actions, "list", "callbacks that wait, those that are tried next first", _list, takes_limit=True)
    _add(actions, "dead", "callbacks that were given up, the newest first", _dead, takes_limit=True)
    _add(actions, "show", "all tries of the callbacks of jobs", _show, takes_jobs=True)
    _add(actions, "redeliver", "tell the ends of jobs once more, now", _redeliver, takes_jobs=True).add_argument(
        "--admins", action="store_true", help="tell admins once more of the jobs' dead letters, and not the owners"
    )
    _add_test(actions)


def _add(
    actions: Any,
    name: str,
    purpose: str,
    act: Callable[[Outbox, argparse.Namespace], Awaitable[int]],
    *,
    takes_limit: bool = False,
    takes_jobs: bool = False,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=purpose, allow_abbrev=False)
    if takes_limit:
        parser.add_argument(
            "--limit",
            type=int,
            choices=range(1, limits.MAX_CALLBACKS_LISTED + 1),
            default=limits.DEFAULT_CALLBACKS_LISTED,
            metavar="N",
            help=f"at most so many (default {limits.DEFAULT_CALLBACKS_LISTED})",
        )
    if takes_jobs:
        parser.add_argument("jobs", metavar="JOB", nargs="+", help="the id of a job")
    if act is not _redeliver:
        parser.add_argument("--json", action="store_true", help="one JSON object on each line")
    parser.set_defaults(prepare=lambda options: _on_outbox(lambda outbox: act(outbox, options)))
    return cast(argparse.ArgumentParser, parser)


def _add_test(actions: Any) -> None:
    parser = actions.add_parser(
        "test",
        help="send a test to a URL, as a callback would be sent",
        description="Sends a POST of the type download.test, signed and guarded as a callback by the settings of a "
        "processor, and says how it was received. Needs no Redis. Exit code 1 when it was not taken.",
        allow_abbrev=False,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("url", metavar="URL", nargs="?", help="what a job's callback_url would be")
    where.add_argument(
        "--admins", action="store_true", help="to WAYBILL_ADMIN_CALLBACK_URL, signed and sent as what admins are told"
    )
    parser.add_argument("--owner", default="local", metavar="OWNER", help="whose secret signs it (default local)")
    parser.set_defaults(run_alone=_test)


def _on_outbox(act: Callable[[Outbox], Awaitable[int]]) -> Callable[[Commands], Coroutine[Any, Any, int]]:
    async def run(commands: Commands) -> int:
        # As Redis says and not as a setting does: a command that believed in fewer would not see all.
        return await act(Outbox(JobStore(commands, partitions=await agreed_partitions(commands) or 1)))

    return run


async def _list(outbox: Outbox, options: argparse.Namespace) -> int:
    found = sorted(await outbox.next_up(count=options.limit), key=lambda callback: callback.next_try_at_ms or 0)
    _write(
        [callback_json(callback) for callback in found]
        if options.json
        else _fitting(waiting_page(found) if found else [])
    )
    waiting, dead = await _counts(outbox)
    sys.stderr.write(f"{waiting:,} wait or are being told, {dead:,} were given up\n")
    return 0


async def _dead(outbox: Outbox, options: argparse.Namespace) -> int:
    pages = await read_each(lambda partition: outbox.dead(partition, count=options.limit), range(outbox.partitions))
    found = heapq.nlargest(
        options.limit, chain.from_iterable(pages), key=lambda callback: int(callback.dead_id.partition("-")[0])
    )
    _write([dead_json(callback) for callback in found] if options.json else _fitting(dead_page(found) if found else []))
    _, dead = await _counts(outbox)
    sys.stderr.write(f"{len(found):,} of {dead:,} that were given up\n")
    return 0


async def _counts(outbox: Outbox) -> tuple[int, int]:
    """Count those that wait or are being told, and those that were given up."""
    counts = await read_each(outbox.counts, range(outbox.partitions))
    return sum(each.waiting for each in counts), sum(each.dead for each in counts)


async def _show(outbox: Outbox, options: argparse.Namespace) -> int:
    are_all_there = True
    for job_id in options.jobs:
        found = [*await outbox.deliveries(job_id), *await outbox.deliveries(job_id, for_admins=True)]
        are_all_there &= bool(found)
        _write(_shown(found, as_json=options.json))
        if not found:
            sys.stderr.write(f"Nothing is kept of callbacks of job {printable(job_id)}.\n")
    return 0 if are_all_there else 1


def _shown(callbacks: Sequence[CallbackRecord], *, as_json: bool) -> list[str]:
    return [callback_json(callback) for callback in callbacks] if as_json else job_page(callbacks)


async def _redeliver(outbox: Outbox, options: argparse.Namespace) -> int:
    answers = [await outbox.redeliver(job_id, for_admins=options.admins) for job_id in options.jobs]
    words = _ANSWERS_FOR_ADMINS if options.admins else _ANSWERS
    _write([f"{printable(job)} {words[answer]}" for job, answer in zip(options.jobs, answers, strict=True)])
    return 0 if all(answer is Redelivered.OK for answer in answers) else 1


def _test(options: argparse.Namespace) -> int:
    def start() -> int:
        settings = load(ProcessorSettings, os.environ)
        if options.admins and not settings.admin_callback_url:
            raise SettingsError(["WAYBILL_ADMIN_CALLBACK_URL is not set: admins are told of nothing."])
        configure_logging("processor", level="critical")
        return asyncio.run(_send(Terms.of(settings), options))

    return explaining("processor callbacks", start)


async def _send(terms: Terms, options: argparse.Namespace) -> int:
    callback_id, body, courier = f"msg_test_{secrets.token_hex(8)}", trial_body(now_ms()), Courier(terms, NameLookUp())
    if options.admins:
        owner, reception = ADMINS, await courier.tell_admins(body, callback_id=callback_id)
    else:
        owner = options.owner
        reception = await courier.send(options.url, body, callback_id=callback_id, owner=owner)
    signed = "signed" if terms.secrets else "not signed: WAYBILL_CALLBACK_SECRETS is not set"
    _write([reception.words, *([f"In detail: {reception.details}"] if reception.details else [])])
    sys.stderr.write(f"{callback_id}, of the owner {printable(owner)}, {signed}\n")
    return 0 if reception.is_success else 1


def _fitting(lines: Sequence[str]) -> list[str]:
    """Cut lines where a terminal would break them."""
    if not sys.stdout.isatty():
        return list(lines)
    most = shutil.get_terminal_size().columns
    return [line if len(line) <= most else f"{line[: most - 1]}…" for line in lines]


def _write(lines: Sequence[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
