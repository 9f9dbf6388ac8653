"""`python -m processor dead-letters list | show | redrive | discard`: its options, and what each of them does."""

import argparse
import shutil
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from processor.commands.letter_choice import LetterChoice, read_rate, read_since
from processor.commands.letter_pages import details, json_line, printable, table
from processor.commands.letter_work import LetterWork, discard, redrive
from shared import limits
from shared.clock import now_ms
from shared.jobstore.access import Commands
from shared.jobstore.dead_letters import DeadLetters
from shared.jobstore.inspection import agreed_partitions
from shared.jobstore.letter import DeadLetter

COMMANDS = ("dead-letters",)
REASONS = ("permanent", "failures", "crashes", "expired", "damaged", "foreign")

Act = Callable[[DeadLetters], Awaitable[int]]


def add_to(commands: Any) -> None:
    """Add the command, with its four actions, to a parser's subparsers."""
    own = commands.add_parser(
        COMMANDS[0],
        help="jobs that failed for good: list, show, redrive, discard",
        description="Jobs that failed for good, with their evidence. See docs/operations.md. "
        "The only settings are REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD.",
        allow_abbrev=False,
    )
    actions = own.add_subparsers(metavar="ACTION", required=True)
    _add_list(actions)
    _add_show(actions)
    _add_work(actions, "redrive", "queue the jobs of dead letters again, under their own ids", redrive)
    _add_work(actions, "discard", "delete dead letters; their jobs stay failed", discard)


# ── options ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _add_list(actions: Any) -> None:
    parser = actions.add_parser("list", help="dead letters, the newest first", allow_abbrev=False)
    _add_filters(parser)
    parser.add_argument("--oldest-first", action="store_true", help="the other way round")
    parser.add_argument(
        "--limit",
        type=_limit,
        default=limits.DEFAULT_LETTERS_LISTED,
        metavar="N",
        help=f"at most so many (default {limits.DEFAULT_LETTERS_LISTED}, at most {limits.MAX_LETTERS_LISTED:,})",
    )
    _add_json(parser)
    parser.set_defaults(prepare=lambda options: _on_letters(lambda letters: _list(letters, options)))


def _add_show(actions: Any) -> None:
    parser = actions.add_parser("show", help="all about one dead letter, its last events too", allow_abbrev=False)
    parser.add_argument("id", metavar="ID", help="of the job, or of the letter")
    _add_json(parser)
    parser.set_defaults(prepare=lambda options: _on_letters(lambda letters: _show(letters, options)))


def _add_work(actions: Any, name: str, purpose: str, act: Callable[[DeadLetters, DeadLetter], Awaitable[str]]) -> None:
    parser = actions.add_parser(
        name, help=purpose, description=f"{purpose.capitalize()}. Ctrl-C stops between two letters.", allow_abbrev=False
    )
    parser.add_argument("ids", metavar="ID", nargs="*", help="of a job, or of a letter")
    parser.add_argument("--all", action="store_true", help="all letters that the filters let through")
    _add_filters(parser)
    parser.add_argument("--yes", action="store_true", help="with --all: really all of them, without a filter")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument(
        "--rate",
        type=_explained(read_rate),
        default=limits.LETTERS_PER_SECOND,
        metavar="N/s",
        help=f"letters a second at most (default {limits.LETTERS_PER_SECOND:g}/s)",
    )
    _add_json(parser)

    def prepare(options: argparse.Namespace) -> Callable[[Commands], Coroutine[Any, Any, int]]:
        choice = _choice(options)
        if problem := _misuse(options, choice):
            parser.error(problem)
        work = LetterWork(
            name, act, rate_per_second=options.rate, is_rehearsal=options.dry_run, writes_json=options.json
        )
        return _on_letters(lambda letters: work.run(letters, options.ids, choice if options.all else None))

    parser.set_defaults(prepare=prepare)


def _misuse(options: argparse.Namespace, choice: LetterChoice) -> str:
    if options.ids and (options.all or not choice.is_everything):
        return "give either IDs, or --all with filters"
    if not options.ids and not options.all:
        return "nothing chosen: give IDs, or --all with filters"
    if options.all and choice.is_everything and not options.yes:
        return "--all without a filter means every dead letter there is: add a filter, or --yes"
    return ""


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", choices=REASONS, help="why the job failed for good")
    parser.add_argument("--code", metavar="CODE", help="of its error, for example SOURCE_MISSING")
    parser.add_argument("--owner", metavar="OWNER", help="of the job")
    parser.add_argument("--job", metavar="ID", help="of the job")
    parser.add_argument(
        "--since",
        type=_explained(_since),
        metavar="WHEN",
        help="failed since: 2h (s, m, h, d) ago, or a time (ISO 8601)",
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object on each line")


def _explained(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let argparse show the sentence of a ValueError, which it hides otherwise."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _since(text: str) -> int:
    return read_since(text, now_ms=now_ms())


@_explained
def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= limits.MAX_LETTERS_LISTED:
        raise ValueError(f"{text!r} is not from 1 to {limits.MAX_LETTERS_LISTED:,}")
    return int(text[:9])


def _choice(options: argparse.Namespace) -> LetterChoice:
    return LetterChoice(
        reason=options.reason, code=options.code, owner=options.owner, job=options.job, since_ms=options.since
    )


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _on_letters(act: Act) -> Callable[[Commands], Coroutine[Any, Any, int]]:
    async def run(commands: Commands) -> int:
        # As Redis says and not as a setting does: a command that believed in fewer would not see all.
        return await act(DeadLetters(commands, partitions=await agreed_partitions(commands) or 1))

    return run


async def _list(letters: DeadLetters, options: argparse.Namespace) -> int:
    found, are_all = await _select(letters, _choice(options), options.limit, is_newest_first=not options.oldest_first)
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines = [json_line(letter) for letter in found] if options.json else table(found, columns=columns) if found else []
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    sys.stderr.write(f"{_count(len(found))}{'' if are_all else '; there are more, see --limit'}\n")
    return 0


async def _select(
    letters: DeadLetters, choice: LetterChoice, most: int, *, is_newest_first: bool
) -> tuple[list[DeadLetter], bool]:
    """Give the first letters of all partitions, in order, and whether these are all of them."""
    found: list[DeadLetter] = []
    are_all = True
    for partition in range(letters.partitions):
        meant = 0
        async for letter in letters.of_partition(
            partition, since_ms=choice.since_ms or 0, is_newest_first=is_newest_first
        ):
            meant += choice.has(letter)
            if meant > most:
                are_all = False
                break
            found += [letter] * choice.has(letter)
        found.sort(key=lambda letter: letter.at_ms, reverse=is_newest_first)
        are_all = are_all and len(found) <= most
        del found[most:]
    return found, are_all


async def _show(letters: DeadLetters, options: argparse.Namespace) -> int:
    found = await letters.find(options.id)
    if not found:
        sys.stderr.write(f"There is no dead letter {printable(options.id)!r}: see dead-letters list.\n")
        return 1
    for letter in found:
        sys.stdout.write("\n".join([json_line(letter)] if options.json else details(letter)) + "\n")
    return 0


def _count(letters: int) -> str:
    return f"{letters:,} dead letter{'' if letters == 1 else 's'}"
