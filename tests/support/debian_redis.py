"""Redis as the distribution ships it: the other server that Waybill runs on, and the one with TLS and Sentinel."""

import subprocess
import time
from pathlib import Path
from typing import Self

from deploy.local.tether import tethered
from deploy.local.valkey import free_port
from tests.support.certificates import Authority
from tests.support.tools import require_tool

UP_WITHIN_SECONDS = 20.0
LOOK_EVERY_SECONDS = 0.02
READY = ("Ready to accept connections", "Sentinel ID is")


class DebianRedis:
    """A context manager: one redis-server with these settings; `sentinel` runs it in Sentinel mode.

    The port is free and kept over kill() and start(). A setting is one line of redis.conf.
    """

    def __init__(self, home: Path, *settings: str, port_setting: str = "port", sentinel: bool = False) -> None:
        self.port = free_port()
        self._home = home
        self._settings = (f"{port_setting} {self.port}", "bind 127.0.0.1", f"dir {home}", *settings)
        self._sentinel = ["--sentinel"] if sentinel else []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL, while it is asked without TLS."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running server, for whoever pauses it."""
        assert self._process is not None, "the server is not running"
        return self._process

    def __enter__(self) -> Self:
        """Start the server."""
        self._home.mkdir(parents=True, exist_ok=True)
        # Sentinel writes into its file what it has learned.
        (self._home / "redis.conf").write_text("\n".join(self._settings) + "\n")
        return self.start()

    def __exit__(self, *_: object) -> None:
        """End the server."""
        self.kill()

    def start(self) -> Self:
        """Return once the server accepts connections."""
        log_path = self._home / "redis.log"
        command = [require_tool("redis-server"), str(self._home / "redis.conf"), *self._sentinel]
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                tethered(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + UP_WITHIN_SECONDS
        while not any(sign in log_path.read_text() for sign in READY):
            assert self._process.poll() is None, log_path.read_text()
            assert time.monotonic() < deadline, log_path.read_text()
            time.sleep(LOOK_EVERY_SECONDS)
        return self

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def tls_settings(authority: Authority, certificate: Path, key: Path) -> tuple[str, ...]:
    """Give the settings of a server that speaks TLS only, with others of its kind too."""
    return (
        *("port 0", f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {authority.ca_file}"),
        *("tls-replication yes", "tls-cluster yes"),
    )
