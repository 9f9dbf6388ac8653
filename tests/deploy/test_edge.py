"""The files before gateways fit the API and its times: paths, streams, silence, connections that are kept.

A check is a function from texts to sentences, so that it can be shown a broken copy and proven able to fail.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from shared import limits
from tests.architecture.source_tree import assert_none
from tests.deploy import edge_files
from tests.deploy.edge_files import (
    ALB,
    ARCHIVES,
    CADDY,
    CLOUDFLARE,
    ENVOY,
    GATEWAY_API,
    HAPROXY,
    NGINX,
    ROOT,
    STREAMS,
    TERRAFORM,
    TRAEFIK,
    TRAEFIK_ROUTES,
    Matcher,
    api_paths,
    read,
)  # fmt: skip
from tests.support.nginx import ShippedNginx
from tests.support.ports import free_ports
from tests.support.shipped_proxies import Behind, ShippedCaddy, ShippedHaproxy, ShippedProxy

KUBERNETES_VERSION = "1.33"
LATEST_HEARTBEAT_SECONDS = 1.2 * limits.HEARTBEAT_EVERY_SECONDS
DOCUMENTED = ("docs/proxies.md", "deploy/nginx/README.md", f"{CLOUDFLARE}/README.md")
CONFIGURED = (NGINX, HAPROXY, CADDY, TRAEFIK, TRAEFIK_ROUTES, ENVOY, GATEWAY_API, ALB, *TERRAFORM)


# ── paths ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def strange_paths(name: str, text: str) -> Iterator[str]:
    """Paths of the API that are in no OpenAPI document."""
    for pattern in edge_files.mentioned_paths(text):
        # As it is, or as the beginning of one.
        if not any(re.fullmatch(f"{pattern}(/.*)?", path) for path in api_paths()):
            yield f"{name} names {pattern}, which is no path of the API"


@pytest.mark.parametrize("name", [*CONFIGURED, *DOCUMENTED])
def test_every_path_that_is_named_is_one_of_the_api(name: str) -> None:
    assert_none(strange_paths(name, read(name)))


def test_the_files_with_rules_for_paths_name_some() -> None:
    silent = [name for name in (NGINX, HAPROXY, ENVOY, *DOCUMENTED) if not [*edge_files.mentioned_paths(read(name))]]

    assert silent == []


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (NGINX, "/file$", "/archive$"),
        (HAPROXY, "/v1/download/jobs/[^/]+/file", "/v1/downloads/jobs/[^/]+/file"),
        (ENVOY, 'stream" } }', 'events-stream" } }'),
        (f"{CLOUDFLARE}/traffic.tf", "/v1/download/stream", "/v1/download/streams"),
        ("docs/proxies.md", "/v1/download (GEP", "/v1/downloads (GEP"),
    ],
)
def test_a_path_that_is_not_there_is_seen(name: str, before: str, after: str) -> None:
    assert list(strange_paths(name, broken(read(name), before, after)))


def misjudged(name: str, matchers: tuple[Matcher, Matcher]) -> Iterator[str]:
    """Paths of the API that a file takes for a stream or an archive and are none, and those that it misses."""
    for kind, expected, matcher in (("stream", STREAMS, matchers[0]), ("archive", ARCHIVES, matchers[1])):
        for path in sorted(api_paths()):
            if matcher(path) != (path in expected):
                yield f"{name}: {path} is {'a' if path in expected else 'no'} {kind}, and is not treated so"


READERS: dict[str, Callable[[str], tuple[Matcher, Matcher]]] = {
    NGINX: edge_files.nginx_matchers,
    HAPROXY: edge_files.haproxy_matchers,
    ENVOY: edge_files.envoy_matchers,
    f"{CLOUDFLARE}/traffic.tf": edge_files.terraform_matchers,
}


def test_the_api_has_streams_and_archives() -> None:
    assert (len(STREAMS), len(ARCHIVES)) == (2, 1)


@pytest.mark.parametrize("name", READERS)
def test_every_stream_and_archive_of_the_api_is_treated_as_one_and_nothing_else_is(name: str) -> None:
    assert_none(misjudged(name, READERS[name](read(name))))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (NGINX, "(jobs/[^/]+/)?stream$", "jobs/[^/]+/stream$"),  # one of the two is forgotten
        (NGINX, "proxy_buffering off;", "proxy_buffering on;"),
        (NGINX, "jobs/[^/]+/file$", "jobs/[^/]+"),
        (HAPROXY, "path_reg ^/v1/download/(jobs/[^/]+/)?stream$", "path_reg ^/v1/download/stream$"),
        (ENVOY, "timeout: 0s, idle_timeout: 60s", "idle_timeout: 60s"),  # 15 s for the whole stream
        (f"{CLOUDFLARE}/traffic.tf", '"/stream\\")', '"/events\\")'),
        (f"{CLOUDFLARE}/traffic.tf", 'eq \\"${var.hostname}\\"', 'eq \\"another.example.org\\"'),
    ],
)
def test_a_stream_or_an_archive_that_is_treated_otherwise_is_seen(name: str, before: str, after: str) -> None:
    assert list(misjudged(name, READERS[name](broken(read(name), before, after))))


def literal_stars(text: str) -> Iterator[str]:
    """Locations of nginx with a `*` that it takes for a letter: `nginx -t` accepts them, and they match nothing."""
    for location in re.findall(r"^\s*location\s+(?:=\s*|\^~\s*)?([^~={\s][^{\s]*)\s*\{", text, re.MULTILINE):
        if "*" in location:
            yield f"location {location}: nginx reads this star as a letter"


def test_no_location_has_a_star_that_is_only_a_letter() -> None:
    assert_none(literal_stars(read(NGINX)))


@pytest.mark.parametrize("location", ["/v1/*/stream", "= /v1/download/*", "^~ /v1/*"])
def test_a_star_that_is_only_a_letter_is_seen(location: str) -> None:
    assert list(literal_stars(f"server {{\n    location {location} {{\n"))


# ── silence and whole answers ─────────────────────────────────────────────────────────────────────────────────────────


def named_silences(name: str, text: str) -> Iterator[tuple[str, float]]:
    """Give every time in a file after which something cuts a silent stream, in seconds."""
    patterns = {
        NGINX: r"\b(proxy_read_timeout|send_timeout) (\d+)s;",
        HAPROXY: r"\b(timeout (?:client|server|tunnel)) (\d+)s\b",
        ENVOY: r"\b(stream_idle_timeout|idle_timeout): (\d+)s",
        ALB: r"\b(idle_timeout\.timeout_seconds)=(\d+)",
        f"{CLOUDFLARE}/README.md": r"\| (read timeout[^|]*) \| (\d+) s",
    }
    for what, seconds in re.findall(patterns[name], text, re.IGNORECASE):
        yield what, float(seconds)


def impatient(name: str, text: str) -> Iterator[str]:
    """Times that are not longer than two heartbeats at their latest; one may be lost on the way."""
    found = list(named_silences(name, text))
    if not found:
        yield f"{name} names no time"
    for what, seconds in found:
        if what == "send_timeout":  # not silence: the viewer takes nothing, whatever it is sent
            continue
        if seconds <= 2 * LATEST_HEARTBEAT_SECONDS:
            yield f"{name}: {what} is {seconds:g} s; heartbeats come every {LATEST_HEARTBEAT_SECONDS:g} s at the latest"


SILENT_FILES = (NGINX, HAPROXY, ENVOY, ALB, f"{CLOUDFLARE}/README.md")


@pytest.mark.parametrize("name", SILENT_FILES)
def test_every_time_that_is_named_leaves_room_for_heartbeats(name: str) -> None:
    assert_none(impatient(name, read(name)))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (NGINX, "proxy_read_timeout 60s", "proxy_read_timeout 20s"),
        (HAPROXY, "timeout tunnel 60s", "timeout tunnel 15s"),
        (ENVOY, "stream_idle_timeout: 60s", "stream_idle_timeout: 10s"),
        (ALB, "idle_timeout.timeout_seconds=60", "idle_timeout.timeout_seconds=30"),
        (f"{CLOUDFLARE}/README.md", "| 100 s", "| 10 s"),
    ],
)
def test_too_short_a_time_is_seen(name: str, before: str, after: str) -> None:
    assert list(impatient(name, broken(read(name), before, after)))


def bounds_of_whole_answers(traefik: str, gateway_api: str, caddy: str) -> Iterator[str]:
    """Settings that would end a stream by its age, in the files that cannot say it for each path."""
    for entry_point in yaml.safe_load(traefik)["entryPoints"].values():
        times = entry_point.get("transport", {}).get("respondingTimeouts", {})
        if times.get("writeTimeout", "0s") != "0s":
            yield f"traefik: writeTimeout is {times['writeTimeout']}"
    for rule in yaml.safe_load(gateway_api)["spec"]["rules"]:
        [match] = rule["matches"]
        has_streams = any(path.startswith(match["path"]["value"] + "/") for path in STREAMS)
        if has_streams and rule.get("timeouts") != {"request": "0s", "backendRequest": "0s"}:
            yield f"Gateway API: {match['path']['value']} has {rule.get('timeouts')}"
    if re.search(r"^\s*(write|read_timeout|write_timeout|flush_interval)\b", caddy, re.MULTILINE):
        yield "Caddy: a time for whole answers, or flush_interval"


def whole_answers(broken_name: str = "", before: str = "", after: str = "") -> list[str]:
    texts = [
        broken(read(name), before, after) if name == broken_name else read(name)
        for name in (TRAEFIK, GATEWAY_API, CADDY)
    ]
    return list(bounds_of_whole_answers(*texts))


def test_no_stream_is_ended_by_its_age() -> None:
    assert_none(whole_answers())


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (TRAEFIK, "writeTimeout: 0s", "writeTimeout: 60s"),
        (GATEWAY_API, "      timeouts: { request: 0s, backendRequest: 0s }\n", ""),
        (GATEWAY_API, "request: 0s", "request: 15s"),
        (CADDY, "lb_policy round_robin", "flush_interval -1"),
        (CADDY, "read_header 10s", "write 30s"),
    ],
)
def test_a_bound_of_a_stream_s_age_is_seen(name: str, before: str, after: str) -> None:
    assert whole_answers(name, before, after)


# ── connections that are kept ─────────────────────────────────────────────────────────────────────────────────────────


KEPT = {
    NGINX: r"\n    keepalive_timeout (\d+)s;",
    CADDY: r"\bkeepalive (\d+)s",
    TRAEFIK_ROUTES: r"\bidleConnTimeout: (\d+)s",
    ENVOY: r"common_http_protocol_options: \{ idle_timeout: (\d+)s",
    ALB: r"\bidle_timeout\.timeout_seconds=(\d+)",
    f"{CLOUDFLARE}/tunnel.tf": r"\bkeep_alive_timeout\s+= (\d+)",
}


def kept_too_long(name: str, text: str) -> Iterator[str]:
    """Idle connections that a gateway would close first, so that a POST may meet the closing."""
    [seconds] = re.findall(KEPT[name], text) or ["inf"]
    if float(seconds) >= limits.KEEP_ALIVE_SECONDS:
        yield f"{name} keeps them for {seconds} s, a gateway for {limits.KEEP_ALIVE_SECONDS:g} s"


@pytest.mark.parametrize("name", KEPT)
def test_every_proxy_lets_go_of_an_idle_gateway_before_the_gateway_does(name: str) -> None:
    assert_none(kept_too_long(name, read(name)))


@pytest.mark.parametrize("name", KEPT)
def test_a_connection_that_is_kept_for_too_long_is_seen(name: str) -> None:
    [stands] = re.finditer(KEPT[name], read(name))

    assert list(kept_too_long(name, broken(read(name), stands[0], re.sub(r"\d+", "90", stands[0]))))
    assert list(kept_too_long(name, broken(read(name), stands[0], "")))  # its own default is longer


# ── what the programs say of their files ──────────────────────────────────────────────────────────────────────────────


def accepted(proxy: ShippedProxy) -> bool:
    """Ask the program whether it would start with its file."""
    return subprocess.run(proxy.check_command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("kind", [ShippedHaproxy, ShippedCaddy])
def test_haproxy_and_caddy_accept_their_files_and_no_broken_ones(kind: type[ShippedProxy], tmp_path: Path) -> None:
    proxy = kind(tmp_path / "proxy", [Behind(port) for port in free_ports(2)])
    is_accepted = accepted(proxy)
    proxy.configuration.write_text(broken(proxy.configuration.read_text(), "round", "square"))

    assert is_accepted
    assert not accepted(proxy)


def test_nginx_accepts_our_files_without_a_warning_and_no_broken_ones(tmp_path: Path) -> None:
    nginx = ShippedNginx(tmp_path / "nginx", [f"127.0.0.1:{port}" for port in free_ports(2)])
    said = nginx.check()
    file = tmp_path / "nginx" / "conf.d" / "waybill.conf"
    file.write_text(broken(file.read_text(), "proxy_buffering", "proxy_bufering"))

    assert "[warn]" not in said
    with pytest.raises(AssertionError, match="unknown directive"):
        nginx.check()


def refused_by_kubernetes(text: str) -> bool:
    """Tell whether an Ingress has what Kubernetes does not know."""
    try:
        kubernetes_validate.validate(yaml.safe_load(text), KUBERNETES_VERSION, strict=True)
    except kubernetes_validate.ValidationError:
        return True
    return False


def test_kubernetes_knows_everything_in_the_ingress_of_the_alb() -> None:
    assert not refused_by_kubernetes(read(ALB))


@pytest.mark.parametrize(("before", "after"), [("pathType", "path_type"), ("number: 80", 'number: "80"')])
def test_what_kubernetes_does_not_know_is_seen(before: str, after: str) -> None:
    assert refused_by_kubernetes(broken(read(ALB), before, after))


def test_no_file_of_a_proxy_is_forgotten_here() -> None:
    there = {path for path in (ROOT / "deploy" / "proxies").rglob("*") if path.is_file()}

    assert {path.relative_to(ROOT).as_posix() for path in there} <= set(CONFIGURED)


def broken(text: str, before: str, after: str) -> str:
    """Give a copy with words in the place of others, which must be there."""
    assert before in text, f"{before!r} is not there any more"
    return text.replace(before, after)
