"""Whose word is believed about where a request comes from."""

from ipaddress import ip_network

import pytest

from gateway.edge.proxies import Sender, TrustedProxies

OURS = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"), ip_network("127.0.0.1")])


def forwarded_for(text: str, *more: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in (("x-forwarded-for", text), *more)]


@pytest.mark.parametrize("proxies", [OURS, TrustedProxies([])])
def test_word_of_a_stranger_is_not_believed(proxies: TrustedProxies) -> None:
    told = forwarded_for("192.0.2.1", ("x-forwarded-proto", "https"), ("forwarded", "for=192.0.2.1"))

    assert proxies.sender_of("203.0.113.9", told) == Sender("203.0.113.9", None)


def test_loopback_is_a_stranger_where_nobody_named_it() -> None:
    assert TrustedProxies([]).sender_of("127.0.0.1", forwarded_for("192.0.2.1")).address == "127.0.0.1"


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2a00::1]:4711", "2a00::1"),
        ("2a00::1", "2a00::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1", "192.0.2.1"),  # what the client wrote itself stands on the left
        ("6.6.6.6, 192.0.2.1, 10.1.2.3, 2001:db8::5", "192.0.2.1"),
        ("10.1.2.3", "10.1.2.3"),  # all are ours: the first of them has asked
        ("10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("192.0.2.1, unknown", "10.0.0.1"),  # nobody knows who spoke to the proxy
        ("192.0.2.1, evil\\nline, 10.1.2.3", "10.1.2.3"),
        ("", "10.0.0.1"),
        (",,,", "10.0.0.1"),
        ("999.1.1.1", "10.0.0.1"),
        ("fe80::1%\x1b[31mroot logged in, 10.1.2.3", "10.1.2.3"),  # a zone is any text
        ("[fe80::1%eth0]:80", "10.0.0.1"),
        ("x" * 10_000, "10.0.0.1"),
    ],
)
def test_rightmost_address_that_is_none_of_our_proxies_counts(told: str, client: str) -> None:
    assert OURS.sender_of("10.0.0.1", forwarded_for(told)).address == client


def test_several_header_lines_are_one_list() -> None:
    told = forwarded_for("6.6.6.6", ("x-forwarded-for", "192.0.2.1, 10.1.1.1"))

    assert OURS.sender_of("10.0.0.1", told).address == "192.0.2.1"


def test_ipv4_peer_of_a_socket_for_both_kinds_is_known() -> None:
    assert OURS.sender_of("::ffff:10.0.0.1", forwarded_for("192.0.2.1")).address == "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "sender"),
    [
        ("for=192.0.2.1", Sender("192.0.2.1", None)),
        ('For="[2a00::1]:4711";proto=HTTPS;by=10.0.0.1', Sender("2a00::1", "https")),
        ("for=6.6.6.6;proto=http, for=192.0.2.1;proto=https", Sender("192.0.2.1", "https")),
        ("for=_hidden", Sender("10.0.0.1", None)),
        ("proto=https", Sender("10.0.0.1", "https")),
        ("for=6.6.6.6, proto=https", Sender("10.0.0.1", "https")),  # the proxy does not say who
        ('for=203.0.113.9;proto=http;host="a;for=6.6.6.6;proto=https"', Sender("203.0.113.9", "http")),
        ('for=203.0.113.9;host="a\\", for=6.6.6.6;proto=https";proto=http', Sender("203.0.113.9", "http")),
        ('for=6.6.6.6;host="a, for=192.0.2.1', Sender("10.0.0.1", None)),  # where the quotes end nobody knows
        ("for=6.6.6.6;for=192.0.2.1;proto=https", Sender("10.0.0.1", None)),
        ("for = 192.0.2.1", Sender("10.0.0.1", None)),
    ],
)
def test_forwarded_says_the_same_in_its_own_words(forwarded: str, sender: Sender) -> None:
    assert OURS.sender_of("10.0.0.1", [(b"forwarded", forwarded.encode())]) == sender


def test_two_headers_that_disagree_are_both_not_believed() -> None:
    told = forwarded_for("192.0.2.1", ("forwarded", "for=6.6.6.6"))

    assert OURS.sender_of("10.0.0.1", told).address == "10.0.0.1"


def test_malformed_header_does_not_leave_the_word_to_the_other_one() -> None:
    told = forwarded_for("6.6.6.6", ("forwarded", 'host="'), ("forwarded", "for=192.0.2.1"))

    assert OURS.sender_of("10.0.0.1", told).address == "10.0.0.1"


def test_proxy_of_a_link_is_known_by_its_network_whatever_the_zone_is_called() -> None:
    link = TrustedProxies([ip_network("fe80::/10")])

    assert link.sender_of("fe80::1%eth0", forwarded_for("192.0.2.1")).address == "192.0.2.1"


def test_two_headers_that_disagree_about_the_scheme_say_none() -> None:
    told = [(b"x-forwarded-proto", b"https"), (b"forwarded", b"for=192.0.2.1;proto=http")]

    assert OURS.sender_of("10.0.0.1", told).scheme is None


@pytest.mark.parametrize(("told", "scheme"), [("https", "https"), ("http, HTTPS", "https"), ("ftp", None), ("", None)])
def test_scheme_is_what_the_nearest_proxy_says(told: str, scheme: str | None) -> None:
    assert OURS.sender_of("10.0.0.1", [(b"x-forwarded-proto", told.encode())]).scheme == scheme
