"""The URL of a callback as a text; the attacks on it are in tests/integration/callbacks."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from shared import limits
from shared.callback_errors import CallbackUrlRefused
from shared.callbacks.target import CallbackRules, CallbackTarget, read_target

DEFAULT = CallbackRules()


def refusal(url: str, rules: CallbackRules = DEFAULT) -> str:
    """Read what must be refused."""
    with pytest.raises(CallbackUrlRefused) as caught:
        read_target(url, rules)
    assert (caught.value.code, caught.value.status) == ("INVALID_REQUEST", 422)
    return caught.value.message


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hooks.example.org/a?b=c", ("https://hooks.example.org/a?b=c", "hooks.example.org", 443, None)),
        ("HTTPS://Hooks.Example.ORG/A", ("https://hooks.example.org/A", "hooks.example.org", 443, None)),
        ("https://hooks.example.org", ("https://hooks.example.org", "hooks.example.org", 443, None)),
        ("https://hooks.example.org:443?x", ("https://hooks.example.org?x", "hooks.example.org", 443, None)),
        ("https://a_b.xn--bcher-kva.at:80/", ("https://a_b.xn--bcher-kva.at:80/", "a_b.xn--bcher-kva.at", 80, None)),
        ("https://1.1.1.1/%7Eme", ("https://1.1.1.1/%7Eme", "1.1.1.1", 443, IPv4Address("1.1.1.1"))),
        ("https://[2600:0::1]/", ("https://[2600::1]/", "2600::1", 443, IPv6Address("2600::1"))),
        ("https://4.example.org/x@y:z", ("https://4.example.org/x@y:z", "4.example.org", 443, None)),
    ],
)  # fmt: skip
def test_a_public_url_is_taken_and_written_in_one_way(url: str, target: tuple[object, ...]) -> None:
    assert read_target(url, DEFAULT) == CallbackTarget(*target)  # type: ignore[arg-type]  # the table has objects


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example.org/", "must begin with https://."),
        ("ftp://hooks.example.org/", "must begin with https://."),
        ("https:/hooks.example.org/", "must begin with https://."),
        ("https://hooks.example.org/ä", "Percent-encode it"),
        ("https://hooks.example.org/%zz", "Percent-encode it"),
        ("https://bücher.example/", "in its ASCII form (xn--…)"),
        ("https://me:secret@hooks.example.org/", "has a user in it. Take it out"),
        ("https://hooks.example.org/a?", "has a ? with nothing behind it"),
        ("https://hooks.example.org/#top", "has a fragment (#)"),
        ("https://hooks.example.org:8443/", "has the port 8443, to which callbacks do not go. The service's operators"),
        ("https://hooks.example.org:/", "a port that is none"),
        ("https://10.0.0.1/", "leads to 10.0.0.1, a private address (RFC 1918); callbacks do not go there."),
        ("https://[::1]/", "leads to ::1, the loopback address"),
        ("https://0177.1/", "Write four decimal numbers, as 192.0.2.1."),
        ("https://[1.1.1.1]/", "brackets around what is no IPv6 address"),
        ("https://hooks.example.org./", "without a dot at its end"),
        ("https://hooks/", "a host of one word, which is no public name"),
        ("https://hooks.internal/", "all below internal is internal"),
        (f"https://{'a' * 64}.example/", "has a host that is no name"),
        (f"https://{'a.' * 126}aaa/", "has a host that is no name"),
    ],
)
def test_a_refusal_says_what_to_change(url: str, says: str) -> None:
    message = refusal(url)

    assert message.startswith("callback_url ")
    assert says in message
    assert "secret" not in message


def test_a_url_that_is_too_long_is_refused_by_its_length() -> None:
    url = "https://hooks.example.org/".ljust(limits.MAX_CALLBACK_URL_CHARS, "x")

    assert read_target(url, DEFAULT).url == url
    assert refusal(url + "x") == "callback_url has 2,049 characters; the limit is 2,048."


def test_operators_allow_http_ports_networks_and_names() -> None:
    rules = CallbackRules(
        takes_http=True,
        ports=(range(443, 444), range(8000, 8010)),
        networks=(ip_network("10.1.0.0/16"),),
        hosts=("hooks", "*.svc.cluster.local"),
    )

    for url in ("http://10.1.2.3:8000/", "https://hooks/", "https://a.b.svc.cluster.local:8009/"):
        assert read_target(url, rules).url == url
    assert "the port 80," in refusal("http://10.1.2.3/", rules)
    assert "the port 8010," in refusal("http://10.1.2.3:8010/", rules)
    assert "a private address" in refusal("https://10.2.0.1/", rules)
    assert "all below local is internal" in refusal("https://svc.cluster.local/", rules)
    assert "all below local is internal" in refusal("https://asvc.cluster.local/", rules)
    assert "a host of one word" in refusal("https://hooks2/", rules)


def test_a_name_that_is_allowed_allows_no_address() -> None:
    rules = CallbackRules(hosts=("*.0.0.1",))

    assert "a private address" in refusal("https://10.0.0.1/", rules)
    assert rules.networks_of(CallbackTarget("https://10.0.0.1/", "10.0.0.1", 443, IPv4Address("10.0.0.1"))) == ()


def test_nobody_is_told_that_metadata_could_be_allowed() -> None:
    assert refusal("https://169.254.169.254/") == (
        "callback_url leads to 169.254.169.254, a metadata address of a cloud; callbacks do not go there."
    )


@given(st.from_regex(r"https?://[ -~]{1,40}", fullmatch=True))
def test_what_is_taken_is_read_alike_by_the_http_client(url: str) -> None:
    rules = CallbackRules(takes_http=True, ports=(range(1, 65_536),))
    try:
        target = read_target(url, rules)
    except CallbackUrlRefused:
        return

    parsed = URL(target.url)
    assert (parsed.raw_host, parsed.port, parsed.raw_user, parsed.raw_fragment) == (target.host, target.port, None, "")
