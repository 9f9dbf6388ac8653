"""`python -m gateway keys create | list | revoke`: its options, and what each of them does.

Exit codes: 0 when it was done, 1 when there is no such key, 2 for a wrong usage, wrong settings, or no Redis.
"""

import argparse
import secrets
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

import msgspec

from gateway.auth.api_key import ID_BYTES, SECRET_BYTES, digest_of, write_api_key
from gateway.auth.caller import OWNER_MAY_BE, Scope, is_owner
from gateway.auth.key_pages import KeyView, read_life_seconds, table, view_of
from shared.clock import now_ms
from shared.command import run_on_redis
from shared.jobstore.access import Commands
from shared.jobstore.api_key import ApiKey
from shared.jobstore.api_keys import ApiKeys

COMMAND = "keys"


def run_keys_command(arguments: Sequence[str]) -> int:
    """Run the command to its end; give its exit code. A wrong usage exits by itself, with 2."""
    parser = argparse.ArgumentParser(
        prog=f"python -m gateway {COMMAND}",
        description="API keys, with which callers say who they are. See docs/operations.md. "
        "The only settings are REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_create(actions)
    listing = actions.add_parser("list", help="all keys, the oldest first; never the keys themselves")
    listing.set_defaults(act=_list)
    revoking = actions.add_parser("revoke", help="forget a key: it opens nothing from the next request on")
    revoking.add_argument("key_id", metavar="ID", help="of the key: the 16 digits behind wb_")
    revoking.set_defaults(act=_revoke)
    for action in (listing, revoking):
        action.add_argument("--json", action="store_true", help="one JSON object on each line")
    options = parser.parse_args(arguments)
    act: Callable[[ApiKeys, argparse.Namespace], Coroutine[Any, Any, int]] = options.act

    async def run(commands: Commands) -> int:
        return await act(ApiKeys(commands), options)

    return run_on_redis("gateway", COMMAND, run)


def _add_create(actions: Any) -> None:
    parser = actions.add_parser(
        "create",
        help="make a key for an owner, and show it once",
        description="Make a key for an owner. It is shown once, as the only line of the standard output, "
        "and kept nowhere: of its secret there is only a hash in Redis.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--owner", required=True, type=_explained(_owner), metavar="OWNER", help="whose key it is; several are fine"
    )
    parser.add_argument(
        "--scope", action="append", choices=[*Scope], help="what it is for (default user); may be repeated"
    )
    parser.add_argument(
        "--expires-in", type=_explained(read_life_seconds), metavar="LIFE", help="90s, 30m, 12h or 90d (default never)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object with the key in it")
    parser.set_defaults(act=_create)


async def _create(api_keys: ApiKeys, options: argparse.Namespace) -> int:
    key_id, api_key = write_api_key(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
    created_at_ms = now_ms()
    kept = ApiKey(
        owner=options.owner,
        scopes=tuple(sorted(set(options.scope or [Scope.USER]))),
        digest=digest_of(api_key),
        created_at_ms=created_at_ms,
        expires_at_ms=created_at_ms + options.expires_in * 1000 if options.expires_in else None,
    )
    await api_keys.add(key_id, kept)
    view = view_of(key_id, kept, now_ms=created_at_ms, api_key=api_key)
    _write([_json(view) if options.json else api_key])
    sys.stderr.write(f"Key {key_id} of {kept.owner}. It is not shown again.\n")
    return 0


async def _list(api_keys: ApiKeys, options: argparse.Namespace) -> int:
    views = [view_of(listed.key_id, listed.kept, now_ms=now_ms()) for listed in await api_keys.list()]
    _write(map(_json, views) if options.json else table(views) if views else [])
    sys.stderr.write(f"{len(views):,} key{'' if len(views) == 1 else 's'}\n")
    return 0


async def _revoke(api_keys: ApiKeys, options: argparse.Namespace) -> int:
    is_revoked = await api_keys.revoke(options.key_id)
    if options.json:
        _write([msgspec.json.encode({"key_id": options.key_id, "is_revoked": is_revoked}).decode()])
    sys.stderr.write("It opens nothing any more.\n" if is_revoked else "There is no such key: see keys list.\n")
    return 0 if is_revoked else 1


def _owner(text: str) -> str:
    if not is_owner(text):
        raise ValueError(f"an owner must be {OWNER_MAY_BE}")
    return text


def _explained(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let argparse show the sentence of a ValueError, which it hides otherwise."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _json(view: KeyView) -> str:
    return msgspec.json.encode(view).decode()


def _write(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
