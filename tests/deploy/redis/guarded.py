"""A whole Waybill on a Redis that knows the users of deploy/redis and nobody else, each process as its own."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared.jobstore.location import parse_location
from shared.jobstore.wire import ask as wire_ask
from shared.jobstore.wire import open_connection
from tests.support import cargo
from tests.support.debian_redis import DebianRedis
from tests.support.kustomize import ROOT
from tests.support.local_http import local_client
from tests.support.service import Service, environment
from tests.support.system import JOBS, QUICK_LEASE, TERMINAL, System
from tests.support.waiting import until

USERS = (ROOT / "deploy/redis/users.acl").read_text(encoding="utf-8")
# Who sees what was refused to the others; in tests alone.
_OBSERVER = "user observer on >observing resetkeys -@all +acl|log\n"
PASSWORDS = {
    words[1]: word.removeprefix(">")
    for words in map(str.split, (USERS + _OBSERVER).splitlines())
    for word in words
    if word[0] == ">"
}


# Nobody listens there: it is tried, and tried again later.
CALLBACK_URL = "http://127.0.0.1:9/"
CALLBACKS = {
    "WAYBILL_CALLBACK_HTTP": "true",
    "WAYBILL_CALLBACK_PORTS": "9",
    "WAYBILL_CALLBACK_NETWORKS": "127.0.0.0/8",
}


@contextlib.contextmanager
def guarded_server(kind: str, home: Path) -> Iterator[int]:
    """Run a `redis` or a `valkey` with these users; gives its port."""
    users = home / "users.acl"
    users.write_text(USERS + _OBSERVER)
    if kind == "redis":
        settings = [f"aclfile {users}", f"include {ROOT / 'deploy/redis/redis.conf'}"]
        with DebianRedis(home / "redis", *settings) as server:
            yield server.port
        return
    with EmbeddedValkey(home / "valkey", durable=True) as valkey:
        # Read from a file, it would keep the embedded server's own start from asking whether it is up.
        for line in (USERS + _OBSERVER).splitlines()[::-1]:
            ask(valkey.port, "ACL", "SETUSER", *line.split()[1:])
        yield valkey.port


@contextlib.asynccontextmanager
async def asking(port: int, user: str) -> AsyncIterator[Any]:
    """Give a way to ask the server as a user: a coroutine function over the words of a command."""
    location = parse_location(f"redis://127.0.0.1:{port}/0", username=user, password=PASSWORDS[user])
    connection = open_connection(location, name="asking")
    connection.client_name = None  # which not everybody may set
    await connection.connect()  # type: ignore[no-untyped-call]
    try:
        yield lambda *words: wire_ask(connection, *words)
    finally:
        await connection.disconnect(nowait=True)


class GuardedSystem:
    """A system of one gateway that asks for API keys; processors are started by whoever wants one."""

    def __init__(self, system: System, port: int) -> None:
        self.system = system
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._http = local_client()
        self.api_key = self.administer("gateway", "keys", "create", "--owner", "anna").strip()
        self.gateway = self.start("gateway", WAYBILL_AUTH="keys")
        self.gateway.wait_until_ready()

    def start(self, module: str, **settings: str) -> Service:
        """Start one more process, as the user of its kind."""
        own = {"REDIS_URL": self.url, "REDIS_USERNAME": module, "REDIS_PASSWORD": PASSWORDS[module]} | CALLBACKS
        return self.system.start(module, **(own | settings))

    def start_processor(self) -> Service:
        """Start one more processor, and wait for it."""
        processor = self.start("processor", **QUICK_LEASE)
        processor.wait_until_ready()
        return processor

    def administer(self, module: str, *arguments: str) -> str:
        """Run a command of the operators as the admin; gives what it prints."""
        own = {"REDIS_URL": self.url, "REDIS_USERNAME": "admin", "REDIS_PASSWORD": PASSWORDS["admin"]}
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=environment(own),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        """Make one call as anna."""
        sent = {"Authorization": f"Bearer {self.api_key}"} | dict(headers or {})
        response = self._http.request(method, self.gateway.url + path, headers=sent, **more)
        assert response.status_code < 400, response.text
        return response

    def create(self, *files: cargo.SourceFile, **headers: str) -> str:
        """Create a job; give its path."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        path: str = self.call(
            "POST", JOBS, named, json={"file_ids": cargo.ids_of(*files), "callback_url": CALLBACK_URL}
        ).headers["location"]
        return path

    def record(self, path: str) -> dict[str, Any]:
        """Read a job."""
        shown: dict[str, Any] = self.call("GET", path).json()
        return shown

    def wait_for_end(self, path: str) -> str:
        """Wait until a job has ended; give its state."""
        until(lambda: self.record(path)["status"] in TERMINAL, f"{path} ends")
        return str(self.record(path)["status"])

    def wait_for_copying(self, path: str) -> None:
        """Wait until some bytes are in a job's archive."""
        until(lambda: self.record(path)["bytes_processed"] > 0, f"{path} copies")

    def refusals(self) -> list[str]:
        """Give what the server has refused to anybody: user and command (Redis, ACL LOG)."""

        async def read() -> list[str]:
            async with asking(self.port, "observer") as tell:
                return [f"{_field(entry, 'username')} {_field(entry, 'object')}" for entry in await tell("ACL", "LOG")]

        refused = [line for line in asyncio.run(read()) if not line.startswith("observer ")]
        # Clients say who they are, and do without; Redis 7.0 does not know the word, so it cannot stand in the file.
        return [line for line in refused if not line.endswith(" client|setinfo")]

    def close(self) -> None:
        """Close what is its own."""
        self._http.close()


def _field(entry: Any, name: str) -> str:
    fields = entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True))
    return str({_text(key): _text(value) for key, value in fields.items()}[name])


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
