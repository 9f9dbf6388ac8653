"""Where Redis is and how to get in, as REDIS_URL says it. Pure: nothing is opened or looked up here.

    redis://[user:password@]host[:port][/db]                   one server; rediss:// is the same with TLS
    unix://[user:password@]/path/to/socket[?db=0]              one server on this machine
    redis+sentinel://[…@]host[:port],…/master_name[/db]        the master that these Sentinels name
    redis+cluster://[…@]host[:port],…                          a cluster; these nodes are asked for the others

rediss+sentinel:// and rediss+cluster:// are the same with TLS. User and password are percent-encoded; they may stand in
REDIS_USERNAME and REDIS_PASSWORD instead, so that no secret needs to be in a URL.
"""

import re
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec

from shared.errors import SettingsError
from shared.setting import without_passwords

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379
TLS_OPTIONS = frozenset({"ca_file", "cert_file", "key_file", "verify"})
SENTINEL_OPTIONS = frozenset({"sentinel_user", "sentinel_password"})

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\[\]:@/\s]+)(:(?P<port>[0-9]{1,5}))?")


class Mode(StrEnum):
    """How the servers behind a URL work together; the value is the URL's scheme without TLS."""

    STANDALONE = "redis"
    SENTINEL = "redis+sentinel"
    CLUSTER = "redis+cluster"


class Address(NamedTuple):
    """One server's TCP address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Credentials(NamedTuple):
    """A user and a password; both None where the server asks for none. A password alone is the default user's."""

    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, {'***' if self.password else None})"


class Tls(NamedTuple):
    """How a TLS connection is made: files as PEM, None for the system's CAs and for no client certificate."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verifies_server: bool = True


class RedisLocation(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed REDIS_URL.

    `addresses` are the server's, the Sentinels' or some nodes', none for a `unix_path`; `shown` is the URL without its
    secrets, for logs and problems.
    """

    mode: Mode
    shown: str
    addresses: tuple[Address, ...] = ()
    unix_path: str | None = None
    db: int = 0
    credentials: Credentials = Credentials()
    tls: Tls | None = None
    master_name: str = ""
    sentinel_credentials: Credentials = Credentials()


class _Unclear(Exception):
    """What is wrong with the URL, as the middle of a sentence, and an example of a right one."""

    def __init__(self, trouble: str, example: str) -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.example = example


def parse_location(url: str, *, username: str = "", password: str = "") -> RedisLocation:
    """Read a URL; `username` and `password` stand in for those that it does not have.

    Raises SettingsError with one sentence that says what is wrong and shows an example, and no secret.
    """
    shown = without_passwords(url)
    try:
        return _parse(url, shown, Credentials(username or None, password or None))
    except _Unclear as unclear:
        sentence = f"REDIS_URL={shown!r}: it {unclear.trouble}. Example: REDIS_URL={unclear.example}"
        raise SettingsError([sentence]) from None


def _parse(url: str, shown: str, elsewhere: Credentials) -> RedisLocation:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _EXAMPLES:
        raise _Unclear(f"does not begin with one of {', '.join(f'{known}://' for known in _EXAMPLES)}", _ANY_EXAMPLE)
    example = _EXAMPLES[scheme]
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    if "@" in path or "@" in query:
        # What follows may be the rest of a password: it must not be quoted by a sentence further down.
        raise _Unclear(
            "has an @ behind a / or a ?: percent-encode the password (/ is %2F, ? is %3F, @ is %40)", example
        )
    userinfo, at, hosts = authority.rpartition("@")
    credentials = _credentials(userinfo, example) if at else elsewhere
    if scheme == "unix":
        if hosts or not path:
            raise _Unclear("has no absolute path of a socket", example)
        options = _options(query, frozenset({"db"}), example)
        return RedisLocation(
            mode=Mode.STANDALONE,
            shown=shown,
            unix_path=unquote(slash + path),
            db=_db(options.get("db", ""), example),
            credentials=credentials,
        )
    has_tls = scheme.startswith("rediss")
    mode = Mode(scheme.replace("rediss", "redis"))
    known = (TLS_OPTIONS if has_tls else frozenset()) | (SENTINEL_OPTIONS if mode is Mode.SENTINEL else frozenset())
    options = _options(query, known, example)
    master_name, db = _path(mode, path, example)
    return RedisLocation(
        mode=mode,
        shown=shown,
        addresses=_addresses(mode, hosts, example),
        db=db,
        credentials=credentials,
        tls=_tls(options, example) if has_tls else None,
        master_name=master_name,
        sentinel_credentials=Credentials(options.get("sentinel_user"), options.get("sentinel_password")),
    )


def _credentials(userinfo: str, example: str) -> Credentials:
    username, colon, password = userinfo.partition(":")
    if not colon:
        # redis-cli takes this for a password, redis-py for a user: whoever wrote it meant one of them.
        raise _Unclear("has a user without a password (a password alone is written :password@)", example)
    return Credentials(unquote(username) or None, unquote(password) or None)


def _options(query: str, known: frozenset[str], example: str) -> dict[str, str]:
    options = dict(parse_qsl(query))
    for name in options:
        if name not in known:
            takes = f"takes {', '.join(sorted(known))}" if known else "takes no option"
            hint = "; TLS needs rediss" if name in TLS_OPTIONS else ""
            raise _Unclear(f"has the option {name!r}, but this kind of URL {takes}{hint}", example)
    return options


def _path(mode: Mode, path: str, example: str) -> tuple[str, int]:
    """Give the master's name and the number of the database."""
    parts = path.removesuffix("/").split("/") if path else []
    if mode is Mode.SENTINEL:
        if not parts or not parts[0] or len(parts) > 2:
            raise _Unclear("does not name the master after the Sentinels", example)
        return unquote(parts[0]), _db("".join(parts[1:]), example)
    db = _db("/".join(parts), example)
    if mode is Mode.CLUSTER and db:
        raise _Unclear(f"asks for database {db}, but a cluster has database 0 only", example)
    return "", db


def _db(text: str, example: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise _Unclear(f"has {text!r} where the number of a database belongs", example)
    return int(text or 0)


def _addresses(mode: Mode, hosts: str, example: str) -> tuple[Address, ...]:
    port = DEFAULT_SENTINEL_PORT if mode is Mode.SENTINEL else DEFAULT_PORT
    found = tuple(_address(text, port, example) for text in hosts.split(","))
    if mode is Mode.STANDALONE and len(found) > 1:
        raise _Unclear("has several servers; with redis+cluster or redis+sentinel it may", _EXAMPLES[Mode.CLUSTER])
    return found


def _address(text: str, default_port: int, example: str) -> Address:
    match = _ADDRESS.fullmatch(text)
    port = int(match["port"] or default_port) if match else 0
    if match is None or not 0 < port <= 65535:
        raise _Unclear(f"has {text!r} where host:port belongs", example)
    return Address(match["host"].strip("[]"), port)


def _tls(options: dict[str, str], example: str) -> Tls:
    verify = options.get("verify", "full")
    if verify not in ("full", "none"):
        raise _Unclear(f"has verify={verify}, which is full or none", example)
    if "key_file" in options and "cert_file" not in options:
        raise _Unclear("has a key_file without its cert_file", example)
    return Tls(options.get("ca_file"), options.get("cert_file"), options.get("key_file"), verify == "full")


_ANY_EXAMPLE = "redis://127.0.0.1:6379/0"
_EXAMPLES = {
    "redis": _ANY_EXAMPLE,
    "rediss": "rediss://waybill:secret@redis.example.org:6380/0?ca_file=/etc/ssl/redis-ca.pem",
    "unix": "unix:///run/redis/redis.sock?db=0",
    "redis+sentinel": "redis+sentinel://sentinel-1:26379,sentinel-2:26379,sentinel-3:26379/mymaster/0",
    "rediss+sentinel": "rediss+sentinel://sentinel-1:26379,sentinel-2:26379/mymaster/0?ca_file=/etc/ssl/redis-ca.pem",
    "redis+cluster": "redis+cluster://node-1:6379,node-2:6379,node-3:6379",
    "rediss+cluster": "rediss+cluster://node-1:6380,node-2:6380?ca_file=/etc/ssl/redis-ca.pem",
}
