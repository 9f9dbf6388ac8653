"""The flags that every command takes, and the variables behind them. A key is never a flag: shells keep a history."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from shared import limits

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_SERVER = "http://127.0.0.1:8080"
KEY_VARIABLE = "WAYBILL_API_KEY"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one call of the command was told. `has_server`: it was named; `timeout_seconds` None is for ever."""

    server: str
    has_server: bool
    api_key: str | None
    as_json: bool
    is_quiet: bool
    is_verbose: bool
    shows_progress: bool
    color: str
    timeout_seconds: float | None
    tries: int


def read_address(_context: click.Context, _flag: click.Parameter, address: str | None) -> str | None:
    """Take a server's address as it is. Raises BadParameter where it cannot be one, before anything is sent."""
    if address is not None and "@" in address:
        # It would be in the shell's history, in each sentence, and in the note beside an unfinished file.
        raise click.BadParameter(f"An address holds no user and no password here. Use {KEY_VARIABLE} or --key-file.")
    if address is None or _is_address(address):
        return address
    raise click.BadParameter(f"{address} is no address of a server. It looks like https://host:port.")


def _is_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        is_server = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        return is_server and not (parts.query or parts.fragment)
    except ValueError:  # a port that is no number, a bracket without its other one
        return False


def with_settings(command: F) -> F:
    """Give a command these flags, and their Settings as its first argument."""

    def called(**given: Any) -> Any:
        own = {name: given.pop(name) for name in list(given) if name not in _NAMES}
        return command(_settings(**given), **own)

    called.__name__ = command.__name__
    called.__doc__ = command.__doc__
    called.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]
    for flag in reversed(_FLAGS):
        called = flag(called)
    return called  # type: ignore[return-value]


_FLAGS = (
    click.option(
        "--server",
        metavar="URL",
        envvar="WAYBILL_URL",
        callback=read_address,
        help=f"WAYBILL_URL; else {DEFAULT_SERVER}.",
    ),
    click.option(
        "--key-file",
        metavar="FILE",
        envvar="WAYBILL_API_KEY_FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"Holds the API key or token; or set {KEY_VARIABLE}.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Say nothing but what went wrong."),
    click.option("-v", "--verbose", "is_verbose", is_flag=True, help="Say what is tried again, and why."),
    click.option("--no-progress", is_flag=True, help="No bar, and no line but for each new state."),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True),
    click.option("--timeout", "timeout_seconds", type=click.FloatRange(min=0, min_open=True), metavar="S"),
    click.option(
        "--tries",
        type=click.IntRange(min=1, max=1_000),
        default=limits.CLIENT_TRIES,
        show_default=True,
        help="In a row without progress, before giving up.",
    ),
)
_NAMES = (
    *("server", "key_file", "as_json", "is_quiet", "is_verbose"),
    *("no_progress", "color", "timeout_seconds", "tries"),
)


def _settings(*, server: str | None, key_file: Path | None, no_progress: bool, **same: Any) -> Settings:
    return Settings(
        server=server or DEFAULT_SERVER,
        has_server=server is not None,
        api_key=_api_key(key_file),
        shows_progress=not no_progress,
        **same,
    )


def _api_key(key_file: Path | None) -> str | None:
    if key_file is None:
        text, where = os.environ.get(KEY_VARIABLE, ""), KEY_VARIABLE
    else:
        where = str(key_file)
        try:
            text = key_file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise click.UsageError(f"The key file {key_file} cannot be read: {error.strerror}.") from None
    key = text.strip()
    # It is not shown: what was pasted wrongly may be another secret.
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise click.UsageError(f"{where} holds no API key or token: those are one word of visible characters.")
    return key or None
