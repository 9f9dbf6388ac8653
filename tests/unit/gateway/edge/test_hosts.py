"""Which Host headers are taken, without authentication and with it."""

import pytest

from gateway.edge.hosts import HostRule
from shared.caller_errors import Misdirected

REBOUND = [
    None, b"", b"attacker.example", b"attacker.example:8080", b"localhost.attacker.example",
    b"127.0.0.1.attacker.example",
    b"127.0.0.1@attacker.example", b"localhost attacker.example", b"localhost:80:80", b"0.0.0.0", b"10.0.0.1", b"[::2]",
    b"xlocalhost", b"localhost\n", b"LOCALHOST.EXAMPLE", b"127.0.0.1:8080/", b"[::1", b"128.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"LocalHost:8080",
        b"127.0.0.1",
        b"127.8.8.8:1",
        b"[::1]:8080",
        b"app.localhost",
        b"a.b.localhost:1",
    ],
)
def test_names_of_this_machine_are_taken_without_authentication(host: bytes) -> None:
    HostRule([], takes_loopback=True).insist(host)


@pytest.mark.parametrize("host", REBOUND)
def test_every_other_name_is_a_rebound_one(host: bytes | None) -> None:
    with pytest.raises(Misdirected, match="WAYBILL_HOSTS"):
        HostRule([], takes_loopback=True).insist(host)


def test_named_hosts_are_taken_beside_those_of_this_machine() -> None:
    rule = HostRule(["Downloads.example.org", "[2001:db8::1]"], takes_loopback=True)

    for host in (b"downloads.example.org", b"DOWNLOADS.example.org:443", b"[2001:db8::1]:80", b"localhost"):
        rule.insist(host)
    with pytest.raises(Misdirected):
        rule.insist(b"example.org")


def test_with_authentication_named_hosts_alone_are_taken() -> None:
    rule = HostRule(["downloads.example.org"], takes_loopback=False)

    rule.insist(b"downloads.example.org")
    for host in (b"localhost", b"127.0.0.1", None):
        with pytest.raises(Misdirected):
            rule.insist(host)


def test_with_authentication_and_no_names_every_name_is_taken() -> None:
    for host in (b"anything.example", b"", None):
        HostRule([], takes_loopback=False).insist(host)
