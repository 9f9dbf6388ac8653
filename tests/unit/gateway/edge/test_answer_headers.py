"""What answers carry besides their own headers, for pages of which origins."""

from gateway.edge.answer_headers import AnswerHeaders
from gateway.edge.cors import Cors
from gateway.edge.header import Header

APP = b"https://app.example.org"
OTHER = b"https://other.example.org"
PREFLIGHT = {b"access-control-request-method": b"POST"}


def complete(
    *own: Header,
    origins: tuple[str, ...] = (),
    origin: bytes | None = None,
    hsts_seconds: int = 0,
    is_https: bool = False,
) -> dict[bytes, bytes]:
    answers = AnswerHeaders(Cors(origins), hsts_seconds=hsts_seconds)
    headers = answers.complete(own, request_id=b"r1", origin=origin, is_https=is_https)
    assert len(dict(headers)) == len(headers), "a header comes twice"
    return dict(headers)


def test_every_answer_forbids_guessing_framing_and_telling_referrers() -> None:
    headers = complete((b"content-type", b"application/json"))

    assert headers == {
        b"content-type": b"application/json",
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"no-referrer",
        b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
        b"cross-origin-resource-policy": b"same-origin",
        b"x-request-id": b"r1",
    }


def test_what_an_answer_says_itself_stays() -> None:
    own = (b"content-security-policy", b"script-src 'self'")

    headers = complete(own)

    assert headers[own[0]] == own[1]
    assert headers[b"x-content-type-options"] == b"nosniff"


def test_hsts_is_said_by_setting_and_only_where_a_proxy_took_the_request_with_tls() -> None:
    name = b"strict-transport-security"

    assert complete(hsts_seconds=60, is_https=True)[name] == b"max-age=60"
    assert name not in complete(hsts_seconds=60)
    assert name not in complete(is_https=True)


def test_page_of_a_named_origin_may_read_with_credentials() -> None:
    headers = complete(origins=(APP.decode(),), origin=APP)

    assert headers[b"access-control-allow-origin"] == APP
    assert headers[b"access-control-allow-credentials"] == b"true"
    assert b"Idempotent-Replayed" in headers[b"access-control-expose-headers"]
    assert headers[b"cross-origin-resource-policy"] == b"cross-origin"


def test_page_of_another_origin_may_not_and_caches_are_told_so() -> None:
    for origin in (None, OTHER, b"null", APP + b".evil.example", b"*", APP.upper()):
        headers = complete(origins=(APP.decode(),), origin=origin)

        assert not [name for name in headers if name.startswith(b"access-control-")], origin
        assert headers[b"vary"] == b"Origin"


def test_star_lets_every_page_read_and_never_with_credentials() -> None:
    headers = complete(origins=("*",), origin=OTHER)

    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"access-control-allow-credentials" not in headers
    assert b"vary" not in headers


def test_vary_of_the_answer_stays_and_origin_is_said_once() -> None:
    for own, expected in ((b"Accept", b"Accept, Origin"), (b"Accept, Origin", b"Accept, Origin")):
        assert complete((b"vary", own), origins=(APP.decode(),))[b"vary"] == expected
    assert complete((b"vary", b"Accept"))[b"vary"] == b"Accept"


def test_preflight_is_answered_for_named_origins_alone() -> None:
    cors = Cors([APP.decode()])

    headers = dict(cors.preflight(PREFLIGHT | {b"origin": APP}))

    assert b"DELETE" in headers[b"access-control-allow-methods"]
    assert b"Last-Event-ID" in headers[b"access-control-allow-headers"]
    assert int(headers[b"access-control-max-age"]) > 0
    assert cors.preflight(PREFLIGHT | {b"origin": OTHER}) == ()
    assert cors.preflight(PREFLIGHT) == ()
    assert cors.preflight({b"origin": APP}) == ()
    assert Cors([]).preflight(PREFLIGHT | {b"origin": APP}) == ()
