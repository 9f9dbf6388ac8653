"""`python -m processor backlog`: what is unfinished, who works on it, and what waits longest."""

import sys
from typing import Any

from processor.commands.backlog_pages import Overview, backlog_json, backlog_page
from processor.commands.terminal import page_columns
from shared.errors import KeyForeign, UnavailableError
from shared.jobstore.access import Commands
from shared.jobstore.inspection import Inspection, agreed_partitions
from shared.jobstore.partitions import read_each
from shared.jobstore.queue import Queue

COMMANDS = ("backlog",)


def add_to(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    own = commands.add_parser(
        COMMANDS[0],
        help="what is unfinished, who works on it, what waits longest",
        description="What is unfinished, partition by partition; which processors work; which jobs wait longest. Reads "
        "only. See docs/operations.md. The only settings are REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD.",
        allow_abbrev=False,
    )
    own.add_argument("--json", action="store_true", help="one JSON object")
    own.set_defaults(prepare=lambda options: lambda commands: _show(commands, writes_json=options.json))


async def _show(commands: Commands, *, writes_json: bool) -> int:
    overview = await _look_at_all(commands)
    lines = [backlog_json(overview)] if writes_json else backlog_page(overview, width=page_columns())
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if overview.unseen else 0


async def _look_at_all(commands: Commands) -> Overview:
    # As Redis says and not as a setting does: a command that believed in fewer would not see all.
    agreed = await agreed_partitions(commands)
    queues, unseen = await look_at(commands, agreed or 1)
    return Overview(
        redis=commands.location.shown,
        queues=queues,
        unseen=unseen,
        is_new=agreed is None and not any(queue.has_group or queue.unfinished for queue in queues),
    )


async def look_at(commands: Commands, partitions: int) -> tuple[tuple[Queue, ...], dict[int, str]]:
    """Look at every partition, and say why those that could not be seen were not.

    Raises as Inspection does when none can be seen.
    """
    inspection = Inspection(commands)
    seen = await read_each(lambda partition: _look(inspection, partition), range(partitions))
    queues = tuple(queue for queue in seen if isinstance(queue, Queue))
    troubles = {number: error for number, error in enumerate(seen) if not isinstance(error, Queue)}
    if not queues:
        raise troubles[0]
    return queues, {number: error.message for number, error in troubles.items()}


async def _look(inspection: Inspection, partition: int) -> Queue | UnavailableError | KeyForeign:
    try:
        return await inspection.queue(partition)
    except (UnavailableError, KeyForeign) as error:
        return error
