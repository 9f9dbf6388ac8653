"""The audit, against a source of advisories on this machine: what it finds, and when it says that it was not done."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.audit.__main__ import told
from tests.audit.sources import Source, audit
from tests.support.ports import free_ports

LOCKED = "msgspec==0.22.0\nlitestar==2.25.0\n"
ADVISORY = {
    "id": "GHSA-0000-0000-0000",
    "summary": "made up",
    "details": "made up",
    "affected": [{"package": {"name": "x", "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": [
        {"introduced": "0"}, {"fixed": "99.0"}]}]}],
}  # fmt: skip


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Two packages that are locked."""
    path = tmp_path / "requirements.lock"
    path.write_text(LOCKED, encoding="utf-8")
    return path


@contextlib.contextmanager
def osv(against: Mapping[str, object]) -> Iterator[Source]:
    """Serve OSV's API on this machine, with an advisory against each of these packages."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = asked["package"]["name"]
            advisory = json.loads(json.dumps(ADVISORY).replace('"x"', json.dumps(name)))
            body = json.dumps({"vulns": [advisory]} if name in against else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/v1/query"
            yield Source("a local OSV", ("--vulnerability-service", "osv", "--osv-url", url))
        finally:
            server.shutdown()
            serving.join()


def test_known_vulnerability_of_a_locked_package_is_found(lock: Path) -> None:
    with osv({"jinja2": 1, "litestar": 1}) as source:
        found = audit(lock, [source])

    assert found is not None
    assert found.findings == ("litestar 2.25.0: GHSA-0000-0000-0000, mended in 99.0",)
    assert told(found).startswith("1 known vulnerabilities, says a local OSV\nlitestar 2.25.0")


def test_packages_that_nobody_has_anything_against_are_clean(lock: Path) -> None:
    with osv({"jinja2": 1}) as source:
        found = audit(lock, [source])

    assert found is not None
    assert found.findings == ()


def test_source_that_knows_nothing_at_all_is_none(lock: Path) -> None:
    with osv({}) as source:
        assert audit(lock, [source]) is None


def test_source_that_does_not_come_to_an_end_is_passed_over(lock: Path) -> None:
    with osv({"jinja2": 1}) as source, socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/query"
        options = ("--vulnerability-service", "osv", "--osv-url", url)

        found = audit(lock, [Source("silent", options, within_seconds=0.5), source])

    assert found is not None
    assert found.source == "a local OSV"


def test_source_that_is_not_there_is_passed_over_and_without_any_it_was_not_done(lock: Path) -> None:
    [closed_port] = free_ports(1)
    url = f"http://127.0.0.1:{closed_port}/v1/query"
    away = Source("away", ("--vulnerability-service", "osv", "--osv-url", url))

    with osv({"jinja2": 1}) as source:
        found = audit(lock, [away, source])

    assert found is not None
    assert found.source == "a local OSV"
    assert audit(lock, [away]) is None
    assert told(None).startswith("AUDIT NOT DONE")
