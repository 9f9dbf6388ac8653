"""`waybill`: the commands, their flags, and how the program begins and ends.

What takes long to import (the HTTP client, the event loop, the terminal) is imported by the command that needs it.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from gateway.client.command.exit_codes import INTERRUPTED, TABLE, USAGE
from gateway.client.command.file_ids import read_file_ids, words_of
from gateway.client.command.settings import Settings, read_address, with_settings
from gateway.client.command.standard_streams import make_ready, print_json, stdout_failed
from gateway.client.command.words import IDEMPOTENCY_KEY, JOB_ID, TEXT
from shared import limits

F = TypeVar("F", bound=Callable[..., Any])
# With the mark that Windows writes first; what is no text becomes a word that is told to be no number.
ID_FILE = click.File("r", encoding="utf-8-sig", errors="replace")
STATES = ("queued", "processing", "retrying", "completed", "failed", "cancelled")

_EXIT_CODES = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {what}" for code, what in TABLE.items())


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=_EXIT_CODES)
def waybill() -> None:
    """Have files bundled by a Waybill server, watch that, and fetch the archive.

    A job goes on whatever happens here: the same `get` again goes on with the same job and the same file.

    Flags stand behind the command: waybill list --json.
    """


def _request(command: F) -> F:
    for flag in reversed(
        (
            click.argument("ids", nargs=-1, metavar="ID..."),
            click.option("--from-file", type=ID_FILE, metavar="FILE", help="Ids from a file; - is stdin."),
            click.option("--name", type=TEXT, metavar="NAME", help="The archive's name."),
            click.option("--on-missing", type=click.Choice(["fail", "skip"]), help="What a missing file does."),
            click.option("--callback", type=TEXT, metavar="URL", help="Told of the job's end, by a POST."),
            click.option(
                "--idempotency-key",
                type=IDEMPOTENCY_KEY,
                metavar="KEY",
                help="The same key is the same job, for a day.",
            ),
        )
    ):
        command = flag(command)
    return command


def _body(ids: Sequence[str], from_file: Any, **chosen: str | None) -> dict[str, Any]:
    from gateway.client.asynchronous import request_body

    try:
        words = [*ids, *(words_of(from_file.read(limits.CLIENT_MAX_ID_FILE_CHARS)) if from_file else ())]
        return request_body(read_file_ids(words), **chosen)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@waybill.command()
@_request
@click.option("-o", "--output", metavar="FILE|DIR|-", help="Where to; - is stdout. Else the current directory.")
@click.option("--job", "job_id", type=JOB_ID, metavar="JOB", help="Of a job that is there already.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--no-resume", is_flag=True, help="Forget what an earlier run has left.")
@click.option("--no-wait", is_flag=True, help="Do not wait for a job that has not ended.")
@click.option("--cancel-on-interrupt", is_flag=True, help="Cancel the job at Ctrl-C.")
@click.option("--strict", is_flag=True, help="Exit with 9 when files were left out.")
@with_settings
def get(settings: Settings, **given: Any) -> int:
    """Have an archive of files made, and fetch it; print where it is."""
    from gateway.client.command.getting import Wish
    from gateway.client.command.getting import get as do_get
    from gateway.client.command.going import run

    if given["job_id"] and (given["ids"] or given["from_file"]):
        raise click.UsageError("Name either file ids or --job.")
    if given["output"] == "-" and sys.stdout.isatty():
        raise click.UsageError("-o - would write the archive to this terminal. Send it into a pipe or a file.")
    request = {} if given["job_id"] else _body_of(given)
    wish = Wish(
        request=request,
        job_id=given["job_id"],
        output=given["output"],
        idempotency_key=given["idempotency_key"],
        replaces=given["force"],
        resumes=not given["no_resume"],
        waits=not given["no_wait"],
        cancels_on_interrupt=given["cancel_on_interrupt"],
        is_strict=given["strict"],
    )
    return run(settings, lambda going: do_get(going, wish))


def _body_of(given: dict[str, Any]) -> dict[str, Any]:
    return _body(
        given["ids"],
        given["from_file"],
        archive_name=given["name"],
        on_missing=given["on_missing"],
        callback_url=given["callback"],
    )


@waybill.command()
@_request
@with_settings
def submit(settings: Settings, **given: Any) -> int:
    """Create a job and print its id; do not wait."""
    from gateway.client.command import acting
    from gateway.client.command.going import run

    body = _body_of(given)
    return run(settings, lambda going: acting.submit(going, body, idempotency_key=given["idempotency_key"]))


def _jobs(command: F) -> F:
    return click.argument("jobs", nargs=-1, required=True, type=JOB_ID, metavar="JOB...")(command)


@waybill.command()
@_jobs
@click.option("--strict", is_flag=True, help="Exit with 9 when files were left out.")
@with_settings
def watch(settings: Settings, jobs: Sequence[str], strict: bool) -> int:
    """Follow jobs to their ends; with --json print their messages, one a line."""
    from gateway.client.command.going import run
    from gateway.client.command.watching import watch as do_watch

    return run(settings, lambda going: do_watch(going, jobs, is_strict=strict))


@waybill.command()
@_jobs
@with_settings
def status(settings: Settings, jobs: Sequence[str]) -> int:
    """Show jobs as they are now."""
    from gateway.client.command import acting
    from gateway.client.command.going import run

    return run(settings, lambda going: acting.show_status(going, jobs))


@waybill.command(name="list")
@click.option("--status", "statuses", type=click.Choice(STATES), multiple=True, help="Only these; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@with_settings
def list_jobs(settings: Settings, statuses: Sequence[str], limit: int) -> int:
    """Show your jobs, newest first."""
    from gateway.client.command import acting
    from gateway.client.command.going import run

    return run(settings, lambda going: acting.show_list(going, statuses=statuses, limit=limit))


@waybill.command()
@click.argument("pattern", type=TEXT, default="")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@with_settings
def files(settings: Settings, pattern: str, limit: int) -> int:
    """Show the files that you may have; with PATTERN those with these letters in their names."""
    from gateway.client.command import acting
    from gateway.client.command.going import run

    return run(settings, lambda going: acting.show_files(going, pattern, limit=limit))


@waybill.command()
@_jobs
@with_settings
def cancel(settings: Settings, jobs: Sequence[str]) -> int:
    """Give jobs up; print their states."""
    return _act(settings, jobs, "cancel")


@waybill.command()
@_jobs
@with_settings
def retry(settings: Settings, jobs: Sequence[str]) -> int:
    """Start failed jobs anew, under their ids."""
    return _act(settings, jobs, "retry")


@waybill.command()
@_jobs
@with_settings
def rm(settings: Settings, jobs: Sequence[str]) -> int:
    """Remove jobs with their archives."""
    return _act(settings, jobs, "remove")


def _act(settings: Settings, jobs: Sequence[str], verb: str) -> int:
    from gateway.client.command import acting
    from gateway.client.command.going import run

    return run(settings, lambda going: acting.act_on(going, jobs, getattr(acting, verb)))


@waybill.command()
@with_settings
def version(settings: Settings) -> int:
    """Print this program's version, and the server's where one is named (--server, WAYBILL_URL)."""
    from importlib.metadata import version as installed

    found = installed("waybill")
    if settings.has_server:
        from dataclasses import replace

        from gateway.client.command import acting
        from gateway.client.command.going import run

        # One try: a server that is not there is an answer here, and not what somebody waits for.
        return run(replace(settings, tries=1), lambda going: acting.show_versions(going, found))
    if settings.as_json:
        print_json({"client": found})
    else:
        print(f"waybill {found}")
    return 0


@waybill.command()
@click.argument("url", required=False, callback=read_address)
@click.option(
    "--job", "job_id", type=JOB_ID, metavar="JOB", help="Watch this job's stream; else the newest that has not ended."
)
@click.option("--file", "file_id", type=int, metavar="ID", help="Create a job of this file to watch, and remove it.")
@click.option("--seconds", type=click.FloatRange(min=1, max=600), default=20.0, show_default=True, help="To watch.")
@with_settings
def doctor(settings: Settings, url: str | None, job_id: str | None, file_id: int | None, seconds: float) -> int:
    """Tell whether the server can be reached from here, and whether live updates come through."""
    from dataclasses import replace

    from gateway.client.command.examining import examine
    from gateway.client.command.going import run

    chosen = replace(settings, server=url, has_server=True) if url else settings
    return run(chosen, lambda going: examine(going, job_id=job_id, file_id=file_id, watch_seconds=seconds))


def main() -> int:
    """Run the command; give its exit code."""
    make_ready()
    try:
        code = waybill.main(prog_name="waybill", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except OSError as error:
        return stdout_failed(error)
