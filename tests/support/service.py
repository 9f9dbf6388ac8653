"""One of our programs as a process of its own: started, watched through its admin port, signalled, and read."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy.local.tether import tethered
from tests.support import altered
from tests.support.local_http import local_client
from tests.support.waiting import PATIENCE_SECONDS, until


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Give a child's environment: this process' own, with none of the developer's settings, and `settings`."""
    own = {
        name: text for name, text in os.environ.items() if not name.startswith(("WAYBILL_", "REDIS_", "AWS_", "OTEL_"))
    }
    return own | dict(settings)


class Service:
    """`python -m module`, with its log (JSON lines) in a file. It ends with the test process, whatever happens.

    `alterations` are altered.py's.
    """

    def __init__(
        self,
        module: str,
        settings: Mapping[str, str],
        log_path: Path,
        *,
        alterations: Mapping[str, float] | None = None,
    ) -> None:
        self.settings = dict(settings)
        self.admin_url = f"http://127.0.0.1:{settings['WAYBILL_ADMIN_PORT']}"
        self.log_path = log_path
        self._http = local_client()
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                tethered(altered.command(module, alterations or {})),
                env=environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def url(self) -> str:
        """The public address (of a gateway)."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The public port (of a gateway)."""
        return int(self.settings["WAYBILL_PORT"])

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    # ── what it says ──────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, path: str) -> httpx.Response:
        """Ask its admin port."""
        return self._http.get(self.admin_url + path)

    def is_ready(self) -> bool:
        """Tell whether /readyz says so; fails when the process has ended."""
        assert self._process.poll() is None, f"it ended at its start:\n{self.log_path.read_text(errors='replace')}"
        try:
            return self.ask("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def is_alive(self) -> bool:
        """Tell whether the process has not ended."""
        return self._process.poll() is None

    def is_alive_and_unready(self) -> bool:
        """Tell whether its admin port answers, and /readyz says that it is not ready."""
        try:
            return self.ask("/livez").status_code == 200 and not self.is_ready()
        except httpx.TransportError:
            return False

    def wait_until_ready(self) -> None:
        """Return once /readyz says that it is ready."""
        until(self.is_ready, f"{self.log_path.name} is ready")

    def log_lines(self) -> list[dict[str, Any]]:
        """Read what it has logged so far; fails for a line that is no JSON object."""
        *lines, _unfinished = self.log_path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines]

    def events_logged_about(self, job_id: str) -> list[str]:
        """Give the events of the log lines with this job's id, oldest first."""
        return [line["event"] for line in self.log_lines() if line.get("job_id") == job_id]

    def metric(self, name: str, **labels: str) -> float:
        """Read a metric from /metrics, summed over its labels but the given ones; fails when it is not there."""
        samples = [
            float(line.rsplit(" ", 1)[1])
            for line in self.ask("/metrics").text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
            and all(f'{label}="{text}"' in line for label, text in labels.items())
        ]
        assert samples, f"/metrics has no {name} {labels}"
        return sum(samples)

    # ── what is done to it ────────────────────────────────────────────────────────────────────────────────────────────

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._process.terminate()

    def interrupt(self) -> None:
        """Ask it to end as Ctrl-C does (SIGINT)."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL), and wait for that."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it do nothing at all (SIGSTOP) until thaw()."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def exit_code(self) -> int:
        """Wait for its end and give its exit code."""
        return self._process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Make sure that it is gone."""
        self._http.close()
        if self._process.poll() is None:
            self.kill()
