"""A real nginx in front of gateways: with the files that we ship, or as somebody has it who has read none of them."""

import getpass
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from deploy.local.tether import tethered
from tests.support.certificates import Authority
from tests.support.ports import free_ports
from tests.support.tools import require_tool
from tests.support.waiting import until

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "nginx"
STOP_WITHIN_SECONDS = 10.0
SCRATCH = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
"""What nginx would keep in directories of the system, which only root may write to."""
# To anybody but root the line is a warning.
USER = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
"""Who the workers are: whoever runs the tests, because the tests' directories are nobody else's."""


class Nginx:
    """A context manager: one nginx over a directory of its own, on ports of 127.0.0.1; `url` is where it is asked.

    Its configuration is `home`/nginx.conf. It ends with the test process, whatever happens.
    """

    def __init__(self, home: Path, scheme: str, port: int) -> None:
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.error_log = home / "error.log"
        self.access_log = home / "waybill.access.log"
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Return once it accepts connections."""
        self._process = subprocess.Popen(
            tethered([*self._command(), "-g", "daemon off;"]), stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            until(self._accepts, f"nginx accepts connections at {self.url}")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def stop(self) -> None:
        """Stop it at once, open streams and all; its workers end with it."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(STOP_WITHIN_SECONDS)

    def check(self) -> str:
        """Give what `nginx -t` says to the configuration; fails when it refuses it."""
        tested = subprocess.run([*self._command(), "-t"], capture_output=True, text=True, check=False)
        assert tested.returncode == 0, tested.stderr
        return tested.stderr

    def logs(self) -> list[Path]:
        """Give all files that it logs into."""
        return list(self._home.glob("*.log"))

    def reload(self) -> None:
        """Read the configuration again; return once the workers that had the old one take no more connections."""
        assert self._process is not None
        started = self._says("start worker process ")
        self._process.send_signal(signal.SIGHUP)
        until(lambda: self._says("gracefully shutting down") >= started, "all old workers are told to end")

    def _command(self) -> list[str]:
        return [require_tool("nginx"), "-p", str(self._home), "-e", str(self.error_log), "-c", "nginx.conf"]

    def _says(self, sentence: str) -> int:
        return self.error_log.read_text(errors="replace").count(sentence)

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"it ended:\n{self.error_log.read_text(errors='replace')}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class ShippedNginx(Nginx):
    """Nginx with the files of deploy/nginx, and its own answers to what they leave to the operator.

    `gateways` are addresses (host:port). `ca_file` is what its clients trust, `plain_url` where it speaks no TLS.
    """

    def __init__(self, home: Path, gateways: Sequence[str]) -> None:
        plain_port, port = free_ports(2)
        super().__init__(home, "https", port)
        self.plain_url = f"http://127.0.0.1:{plain_port}"
        shutil.copytree(SHIPPED, home, dirs_exist_ok=True)
        _change(home / "nginx.conf", _places(home))
        _change(home / "conf.d" / "waybill.conf", _listens(plain_port, port) | {"/var/log/nginx": str(home)})
        example = home / "waybill" / "yours-gateways.conf"
        [line, _] = [line for line in example.read_text().splitlines() if line.startswith("server ")]
        example.write_text("\n".join(line.replace("127.0.0.1:8080", address) for address in gateways))
        authority = Authority(home / "authority")
        self.ca_file = authority.ca_file
        certificate, key = authority.issue("waybill")
        places = {"fullchain.pem": certificate, "privkey.pem": key}
        letsencrypt = "/etc/letsencrypt/live/waybill.example.org"
        _change(
            home / "waybill" / "yours-certificate.conf",
            {f"{letsencrypt}/{name}": str(path) for name, path in places.items()},
        )

    def trust(self) -> ssl.SSLContext:
        """Give what a client needs to believe it."""
        return ssl.create_default_context(cafile=str(self.ca_file))


def _places(home: Path) -> dict[str, str]:
    return {
        "user www-data;": USER,
        "/run/": f"{home}/",
        "/var/log/nginx/": f"{home}/",
        "http {": "http {" + "".join(f"\n    {kind}_temp_path {home / kind};" for kind in SCRATCH),
    }


def _listens(plain_port: int, port: int) -> dict[str, str]:
    return {
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "listen [::]:80;": "",
        "listen [::]:443 ssl http2;": "",
    }


def _change(path: Path, changes: dict[str, str]) -> None:
    """Put words in the place of others; each of them must be there."""
    text = path.read_text()
    for before, after in changes.items():
        assert before in text, f"{path.name} has no {before!r} any more"
        text = text.replace(before, after)
    path.write_text(text)


class BareNginx(Nginx):
    """Nginx with its own defaults and one `proxy_pass`: what is in front of most services.

    `settings` are lines beside it, for whoever wants a default of theirs to be seen sooner.
    """

    def __init__(self, home: Path, backend_url: str, *settings: str) -> None:
        [port] = free_ports(1)
        super().__init__(home, "http", port)
        home.mkdir(parents=True, exist_ok=True)
        lines = (
            *(USER, f"pid {home / 'nginx.pid'};", f"error_log {self.error_log} notice;"),
            *("events { }", "http {", f"access_log {self.access_log};"),
            *(f"{kind}_temp_path {home / kind};" for kind in SCRATCH),
            *("server {", f"listen 127.0.0.1:{port};", *settings, f"location / {{ proxy_pass {backend_url}; }}", "} }"),
        )
        (home / "nginx.conf").write_text("\n".join(lines) + "\n")
