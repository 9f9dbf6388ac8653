"""What tests do to embedded servers besides asking them for jobs: empty, fill up, freeze them, cut clients off."""

import contextlib
import functools
import signal
from collections.abc import Iterator

from deploy.local.resp import ask
from tests.support.cluster import Server, nodes_of


def empty(server: Server) -> None:
    """Forget all data of a server, and nothing else."""
    _ask_all(server, "FLUSHALL")


@contextlib.contextmanager
def full(server: Server) -> Iterator[None]:
    """Let a server refuse new data for a while: it holds more than its maxmemory."""
    _ask_all(server, "CONFIG", "SET", "maxmemory", "1")
    try:
        yield
    finally:
        _ask_all(server, "CONFIG", "SET", "maxmemory", "0")


@contextlib.contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Let a server neither answer nor close anything for a while."""
    for node in nodes_of(server):
        node.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for node in nodes_of(server):
            node.process.send_signal(signal.SIGCONT)


def forget_scripts(server: Server) -> None:
    """Let the server not know any script any more, as after a failover to a fresh one."""
    _ask_all(server, "SCRIPT", "FLUSH", "SYNC")


def cut_clients(server: Server, *, kind: str = "normal") -> int:
    """Close all connections of a kind (normal, pubsub) from the server's side; gives how many there were."""
    return sum(map(int, _ask_all(server, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")))


@functools.cache
def describe_server(server: Server) -> str:
    """Name a server as its INFO does: kind, version, and how many nodes there are in cluster mode."""
    lines = dict(
        line.split(":", 1) for line in ask(nodes_of(server)[0].port, "INFO", "server").splitlines() if ":" in line
    )
    kind = "valkey" if "valkey_version" in lines else "redis"
    version = ".".join(lines[f"{kind}_version"].split(".")[:2])
    nodes = len(nodes_of(server))
    where = f" cluster of {nodes}" if lines.get("redis_mode", lines.get("server_mode")) == "cluster" else ""
    return f"{kind} {version}{where}"


def _ask_all(server: Server, *words: str) -> list[str]:
    return [ask(node.port, *words) for node in nodes_of(server)]
