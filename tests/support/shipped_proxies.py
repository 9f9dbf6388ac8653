"""HAProxy and Caddy with the files of deploy/proxies, in front of gateways of the tests."""

import abc
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from deploy.local.tether import tethered
from tests.support.certificates import Authority
from tests.support.ports import free_ports
from tests.support.tools import require_tool
from tests.support.waiting import until

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "proxies"
STOP_WITHIN_SECONDS = 10.0
SERVERS = "    # the servers of the tests\n"


class Behind(NamedTuple):
    """A gateway by its public port, and the admin port that a health check asks; None: it is not checked."""

    port: int
    admin_port: int | None = None


class ShippedProxy(abc.ABC):
    """A context manager: a proxy over a directory of its own, with TLS on a port of 127.0.0.1.

    `url` is where it is asked, `ca_file` what its clients trust. With `silence_seconds` its patience with silent
    connections is that, in place of a minute.
    """

    def __init__(self, home: Path, gateways: Sequence[Behind], *, silence_seconds: float | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        [self.port, self.plain_port] = free_ports(2)
        self.url = f"https://127.0.0.1:{self.port}"
        authority = Authority(home / "authority")
        self.ca_file = authority.ca_file
        self._home = home
        self._log = home / "proxy.log"
        self._certificate, self._key = authority.issue("waybill")
        self.configuration = home / "configuration"
        self.configuration.write_text(self._text(gateways, silence_seconds))

    def __enter__(self) -> Self:
        """Return once it accepts connections."""
        environment = os.environ | {"XDG_DATA_HOME": str(self._home), "XDG_CONFIG_HOME": str(self._home)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                tethered(self._command()), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        try:
            until(self._accepts, f"the proxy accepts connections at {self.url}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it at once, open streams and all."""
        self._process.kill()
        self._process.wait(STOP_WITHIN_SECONDS)

    @property
    def options(self) -> tuple[str, ...]:
        """By which curl believes it."""
        return "--cacert", str(self.ca_file)

    def trust(self) -> ssl.SSLContext:
        """Give what a client needs to believe it."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def log(self) -> str:
        """Give what it has written."""
        return self._log.read_text(errors="replace")

    @property
    @abc.abstractmethod
    def check_command(self) -> list[str]:
        """By which the program says what it thinks of its file."""

    @abc.abstractmethod
    def _command(self) -> list[str]: ...

    @abc.abstractmethod
    def _text(self, gateways: Sequence[Behind], silence_seconds: float | None) -> str: ...

    def _accepts(self) -> bool:
        assert self._process.poll() is None, f"it ended:\n{self.log()}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class ShippedHaproxy(ShippedProxy):
    """HAProxy with haproxy.cfg."""

    @property
    def check_command(self) -> list[str]:
        """By which HAProxy says what it thinks of its file."""
        return [require_tool("haproxy"), "-c", "-f", str(self.configuration)]

    def _command(self) -> list[str]:
        return [require_tool("haproxy"), "-db", "-f", str(self.configuration)]

    def _text(self, gateways: Sequence[Behind], silence_seconds: float | None) -> str:
        both = self._home / "both.pem"
        both.write_bytes(self._certificate.read_bytes() + self._key.read_bytes())
        text = changed(
            SHIPPED.joinpath("haproxy.cfg").read_text(),
            {
                "maxconn 20000": "maxconn 200",  # it insists on as many files, twice
                "bind :80": f"bind 127.0.0.1:{self.plain_port}",
                "bind :443 ssl crt /etc/haproxy/certs/": f"bind 127.0.0.1:{self.port} ssl crt {both}",
            },
        )
        if silence_seconds is not None:
            text, times = re.subn(
                r"(timeout (?:client|server|tunnel)) 60s", rf"\1 {round(1000 * silence_seconds)}ms", text
            )
            assert times == 3
        text, times = re.subn(r"    server .*\n    server .*\n", SERVERS, text)
        assert times == text.count("\nbackend ")
        return _with_servers(text, gateways)


def _with_servers(text: str, gateways: Sequence[Behind]) -> str:
    checked, tracking = "", ""
    for number, (port, admin_port) in enumerate(gateways):
        server = f"    server gateway-{number} 127.0.0.1:{port}"
        checked += f"{server} check port {admin_port}\n" if admin_port else f"{server}\n"
        tracking += f"{server} track gateways/gateway-{number}\n" if admin_port else f"{server}\n"
    return text.replace(SERVERS, checked, 1).replace(SERVERS, tracking)


class ShippedCaddy(ShippedProxy):
    """Caddy with the Caddyfile."""

    @property
    def check_command(self) -> list[str]:
        """By which Caddy says what it thinks of its file."""
        return [require_tool("caddy"), "validate", "--adapter", "caddyfile", "--config", str(self.configuration)]

    def _command(self) -> list[str]:
        return [require_tool("caddy"), "run", "--adapter", "caddyfile", "--config", str(self.configuration)]

    def _text(self, gateways: Sequence[Behind], silence_seconds: float | None) -> str:
        text = changed(
            SHIPPED.joinpath("Caddyfile").read_text(),
            {
                "\tservers {": f"\tadmin off\n\tauto_https off\n\thttp_port {self.plain_port}\n\tservers {{",
                "waybill.example.org {": f"{self.url} {{\n\ttls {self._certificate} {self._key}",
                "127.0.0.1:8080 127.0.0.1:8082": " ".join(f"127.0.0.1:{port}" for port, _ in gateways),
            },
        )
        if silence_seconds is not None:
            short = f"{round(1000 * silence_seconds)}ms"
            text = changed(
                text, {"idle 2m": f"idle {short}", "timeout 150s": f"timeout {short}", "alive 60s": f"alive {short}"}
            )
        return text


def changed(text: str, changes: dict[str, str]) -> str:
    """Put words in the place of others; each of them must be there."""
    for before, after in changes.items():
        assert before in text, f"there is no {before!r} any more"
        text = text.replace(before, after)
    return text
