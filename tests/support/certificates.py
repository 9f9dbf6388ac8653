"""Throw-away certificates, made by openssl: an authority, a server that is 127.0.0.1, a client."""

import subprocess
from pathlib import Path

from tests.support.tools import require_tool


class Authority:
    """A certificate authority in a directory of its own; `ca_file` is what clients trust."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True)
        self._home = home
        self.ca_file = home / "ca.pem"
        self._run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=throw-away CA", "-keyout", str(home / "ca.key"), "-out", str(self.ca_file),
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    def issue(self, name: str, *, host: str = "IP:127.0.0.1") -> tuple[Path, Path]:
        """Make a certificate and its key; `host` is the one that it speaks for."""
        certificate, key, request = (self._home / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        self._run(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={host}", "-keyout", str(key), "-out", str(request),
        )  # fmt: skip
        self._run(
            "x509", "-req", "-in", str(request), "-CA", str(self.ca_file), "-CAkey", str(self._home / "ca.key"),
            "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", str(certificate),
        )  # fmt: skip
        return certificate, key

    @staticmethod
    def _run(*arguments: str) -> None:
        subprocess.run([require_tool("openssl"), *arguments], check=True, capture_output=True)
