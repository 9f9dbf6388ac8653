"""One connection to one Redis server: made from a location, and connected to whoever is the master now.

    redis, unix        connect
    redis+sentinel     ask the Sentinels, connect to the master that they name, see that it is one
    redis+cluster      connect to the node whose address the caller knows (cluster.py)

Deadlines are the caller's.
"""

import asyncio
import random
import ssl
from pathlib import Path
from typing import Any, cast

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared import limits
from shared.errors import SettingsError
from shared.jobstore.location import Address, Credentials, Mode, RedisLocation, Tls

REFUSED = "connection refused"
NOT_LET_IN = "the user or the password was refused"
_SILENT = "a server that does not speak TLS keeps silent; without TLS it is redis:// and not rediss://"
_UNKNOWN_CA = "name the file of the authority that signed its certificate as ca_file in REDIS_URL"
_ANOTHER_NAME = "its certificate speaks for another host: name that one in REDIS_URL, or have one issued for this"


def open_connection(location: RedisLocation, *, name: str, address: Address | None = None) -> AbstractConnection:
    """Make (not connect) one connection; `name` shows in CLIENT LIST, `address` is the node of a cluster.

    Raises SettingsError for TLS files that cannot be read.
    """
    if location.unix_path is not None:
        return UnixDomainSocketConnection(path=location.unix_path, **_options(location, name))
    return _open_tcp(location.tls, address or location.addresses[0], _options(location, name))


async def connect(connection: AbstractConnection, location: RedisLocation) -> None:
    """Connect; with Sentinel to the server that is the master at this moment."""
    if location.mode is not Mode.SENTINEL:
        await connection.connect()  # type: ignore[no-untyped-call]  # redis-py's own gap
        return
    assert isinstance(connection, Connection)
    master = await find_master(location)
    connection.host, connection.port = master
    await connection.connect()  # type: ignore[no-untyped-call]
    # "Guidelines for Redis clients with support for Sentinel", step 3: Sentinels may not know yet.
    role, *_ = cast("list[Any]", await ask(connection, "ROLE"))
    if role != b"master":
        raise ReadOnlyError(f"{master} is a {role.decode()}, and not the master that the Sentinels take it for")


async def ask(connection: AbstractConnection, *arguments: str) -> object:
    """Send one command over a connection of one's own and give its reply."""
    await connection.send_command(*arguments)
    return cast(object, await connection.read_response(disable_decoding=True))


async def find_master(location: RedisLocation) -> Address:
    """Ask the Sentinels, in random order, until one names the master; raises what the last one answered."""
    trouble: Exception | None = None
    for sentinel in random.sample(location.addresses, len(location.addresses)):
        try:
            async with asyncio.timeout(limits.REDIS_CONNECT_WITHIN_SECONDS):
                return await _ask_sentinel(location, sentinel)
        except (RedisError, OSError, TimeoutError) as error:
            trouble = ConnectionError(f"Sentinel {sentinel}: {describe(error)}")
    assert trouble is not None
    raise trouble


async def _ask_sentinel(location: RedisLocation, sentinel: Address) -> Address:
    options = _options(location, "waybill-sentinel") | {"db": 0} | _login(location.sentinel_credentials)
    connection = _open_tcp(location.tls, sentinel, options)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]  # redis-py's own gap
        reply = await ask(connection, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", location.master_name)
    finally:
        await connection.disconnect(nowait=True)
    if not isinstance(reply, list):
        raise ConnectionError(f"it watches no master named {location.master_name!r}")
    host, port = reply
    return Address(host.decode(), int(port))


def describe(error: BaseException, *, has_tls: bool = False) -> str:
    """Say what went wrong with a connection, and what to do where that is known."""
    text = str(error) or type(error).__name__
    # redis-py keeps the system's error beside its own, and puts its number and its tuple into the text.
    if isinstance(error, ConnectionRefusedError) or isinstance(error.__context__, ConnectionRefusedError):
        return REFUSED
    if isinstance(error, AuthenticationError):
        return f"{NOT_LET_IN} ({text.rstrip('.')}); see REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD"
    if isinstance(error, NoPermissionError):
        return f"the user lacks a permission ({text}); docs/redis.md has the ACL that suffices"
    if "CERTIFICATE_VERIFY_FAILED" in text:  # redis-py keeps the words of ssl's error and not the error
        return f"{text.rstrip('.')}; {_ANOTHER_NAME if 'mismatch' in text else _UNKNOWN_CA}"
    if has_tls and isinstance(error, TimeoutError | RedisTimeoutError):
        return f"{text}; {_SILENT}"
    return text


def _options(location: RedisLocation, name: str) -> dict[str, Any]:
    """Protocol 2 is pinned: redis-py's replies differ in shape from 3. No socket timeout: the owner has deadlines."""
    return {
        "db": location.db,
        "protocol": 2,
        "client_name": name,
        "socket_timeout": None,
        "socket_connect_timeout": limits.REDIS_CONNECT_WITHIN_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        **_login(location.credentials),
    }


def _login(credentials: Credentials) -> dict[str, str | None]:
    return {"username": credentials.username, "password": credentials.password}


def _open_tcp(tls: Tls | None, address: Address, options: dict[str, Any]) -> Connection:
    host, port = address
    if tls is None:
        return Connection(host=host, port=port, **options)
    for option, path in zip(("ca_file", "cert_file", "key_file"), tls[:3], strict=True):
        _require_readable(option, path)
    _require_certificates(tls.ca_file)
    return SSLConnection(
        host=host,
        port=port,
        ssl_ca_certs=tls.ca_file,
        ssl_certfile=tls.cert_file,
        ssl_keyfile=tls.key_file,
        ssl_cert_reqs="required" if tls.verifies_server else "none",
        ssl_check_hostname=tls.verifies_server,
        **options,
    )


def _require_readable(option: str, path: str | None) -> None:
    if path is None:
        return
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise SettingsError([f"REDIS_URL names {option}={path}, which cannot be read: {error.strerror}."]) from None


def _require_certificates(ca_file: str | None) -> None:
    """A text in its place (an example that nobody replaced) would be an unreachable Redis for ever."""
    if ca_file is None:
        return
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise SettingsError([f"REDIS_URL names ca_file={ca_file}, which holds no certificate (PEM)."]) from None
