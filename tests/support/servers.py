"""What tests do to an embedded server besides asking it for jobs: empty, fill up, freeze it, cut its clients off."""

import contextlib
import signal
from collections.abc import Iterator

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey


def empty(server: EmbeddedValkey) -> None:
    """Forget all data of a server, and nothing else."""
    ask(server.port, "FLUSHALL")


@contextlib.contextmanager
def full(server: EmbeddedValkey) -> Iterator[None]:
    """Let a server refuse new data for a while: it holds more than its maxmemory."""
    ask(server.port, "CONFIG", "SET", "maxmemory", "1")
    try:
        yield
    finally:
        ask(server.port, "CONFIG", "SET", "maxmemory", "0")


@contextlib.contextmanager
def frozen(server: EmbeddedValkey) -> Iterator[None]:
    """Let a server neither answer nor close anything for a while."""
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def forget_scripts(server: EmbeddedValkey) -> None:
    """Let the server not know any script any more, as after a failover to a fresh one."""
    ask(server.port, "SCRIPT", "FLUSH", "SYNC")


def cut_clients(server: EmbeddedValkey, *, kind: str = "normal") -> int:
    """Close all connections of a kind (normal, pubsub) from the server's side; gives how many there were."""
    return int(ask(server.port, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"))
