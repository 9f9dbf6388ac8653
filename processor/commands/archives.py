"""`python -m processor archives clear`: archives that no job knows of are deleted, however many they are.

It deletes nothing itself: the processors know the store of archives and have its keys. It permits them to, for a day.
"""

import sys
from typing import Any

from shared import limits
from shared.jobstore.access import Commands
from shared.jobstore.inspection import agreed_partitions
from shared.jobstore.lifetimes import Lifetimes

COMMANDS = ("archives",)


def add_to(commands: Any) -> None:
    """Add the command, with its one action, to a parser's subparsers."""
    own = commands.add_parser(COMMANDS[0], help="archives that no job knows of: clear", allow_abbrev=False)
    actions = own.add_subparsers(metavar="ACTION", required=True)
    clear = actions.add_parser(
        "clear",
        help="let the processors delete them, however many they are",
        description="Permits the processors, for a day, to delete archives that no job knows of, also when there are "
        "so many that they would refuse. Only for when Redis was emptied for good, and nobody else uses the place. See "
        "docs/operations.md. The only settings are REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD.",
        allow_abbrev=False,
    )
    clear.set_defaults(prepare=lambda _options: _clear)


async def _clear(commands: Commands) -> int:
    await Lifetimes(commands, partitions=await agreed_partitions(commands) or 1).permit_archive_deletion()
    hours = round(limits.ORPHANS_EVERY_SECONDS * 1.2 / 3_600, 1)
    sys.stdout.write(
        f"Within {hours:g} hours a processor deletes the archives that are old enough and that no job knows of; "
        "its log says how many. This holds for a day.\n"
    )
    return 0
