"""The files before gateways: who is believed, how many get through, and what is said while no gateway is there.

A check is a function from texts to sentences, so that it can be shown a broken copy and proven able to fail.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import yaml

from shared.gateway_settings import GatewaySettings
from tests.architecture.source_tree import assert_none
from tests.deploy.edge_files import (
    CADDY,
    CLOUDFLARE,
    ENVOY,
    GATEWAY_API,
    HAPROXY,
    NGINX,
    STREAMS,
    TRAEFIK_ROUTES,
    read,
)  # fmt: skip
from tests.deploy.test_edge import broken

UNHEARD = {
    "deploy/nginx/waybill/proxy.conf": r'proxy_set_header Forwarded "";',
    HAPROXY: r"http-request del-header Forwarded\n",
    CADDY: r"header_up -Forwarded\n",
    TRAEFIK_ROUTES: r'\bForwarded: ""',
    ENVOY: r"request_headers_to_remove: \[forwarded\]",
    GATEWAY_API: r"filters: &for_gateways\n.*\n.*Modifier: \{ remove: \[Forwarded\][^$]*filters: \*for_gateways",
    f"{CLOUDFLARE}/delivery.tf": r'http_request_late_transform"[^$]*"Forwarded" = \{ operation = "remove" \}',
}


def believed(name: str, text: str) -> Iterator[str]:
    """Files that pass on what a client says of itself: gateways then log nobody's address."""
    if not re.search(UNHEARD[name], text.replace("${", "")):
        yield f"{name} does not take Forwarded away"


@pytest.mark.parametrize("name", UNHEARD)
def test_no_client_says_itself_who_it_is(name: str) -> None:
    assert_none(believed(name, read(name)))


@pytest.mark.parametrize("name", UNHEARD)
def test_a_client_that_says_who_it_is_is_seen(name: str) -> None:
    assert list(believed(name, re.sub("[Ff]orwarded", "Via", read(name))))


def narrow(envoy: str) -> Iterator[str]:
    """Bounds of Envoy's below the streams that one gateway alone would hold."""
    [cluster] = yaml.safe_load(envoy)["static_resources"]["clusters"]
    [threshold] = cluster.get("circuit_breakers", {}).get("thresholds", [{}])
    for bound in ("max_connections", "max_pending_requests", "max_requests"):
        if threshold.get(bound, 1_024) < GatewaySettings().max_streams:
            yield f"Envoy: {bound} is {threshold.get(bound, 1_024)}"


def test_envoy_lets_as_many_viewers_through_as_a_gateway_holds() -> None:
    assert_none(narrow(read(ENVOY)))


@pytest.mark.parametrize(("before", "after"), [("max_requests: 100000", "max_requests: 1000"), ("circuit_", "no_")])
def test_too_few_viewers_through_envoy_are_seen(before: str, after: str) -> None:
    assert list(narrow(broken(read(ENVOY), before, after)))


def gateways_that_share_a_check(routes: str) -> Iterator[str]:
    """Traefik asks one port of each host: two gateways on one host would be judged by one of them."""
    balancer = yaml.safe_load(routes)["http"]["services"]["gateways"]["loadBalancer"]
    hosts = [urlsplit(server["url"]).hostname for server in balancer["servers"]]
    if "port" in balancer["healthCheck"] and len(set(hosts)) < len(hosts):
        yield f"Traefik: {hosts} have one health check for several gateways"


def test_each_gateway_behind_traefik_is_asked_itself() -> None:
    assert_none(gateways_that_share_a_check(read(TRAEFIK_ROUTES)))


def test_a_health_check_of_several_gateways_is_seen() -> None:
    assert list(gateways_that_share_a_check(broken(read(TRAEFIK_ROUTES), "gateway-two", "gateway-one")))


LED_BACK = {
    CADDY: r"\n\t+path_regexp (\S+)\n",
    ENVOY: r'name: ":path"\n.*regex: "([^"]+)"',
    NGINX: r"location ~ (\S*stream\$) ",
}


def lost_event_sources(name: str, text: str) -> Iterator[str]:
    """Streams whose EventSource would be ended for ever while no gateway is there (WHATWG HTML §9.2.3)."""
    pattern = "|".join(found.replace("\\\\", "\\") for found in re.findall(LED_BACK[name], text)) or "$^"
    yield from (f"{name}: {path} is not told to come back" for path in STREAMS if not re.search(pattern, path))


@pytest.mark.parametrize("name", LED_BACK)
def test_every_event_source_is_told_to_come_back(name: str) -> None:
    assert_none(lost_event_sources(name, read(name)))


@pytest.mark.parametrize("name", LED_BACK)
def test_an_event_source_that_is_not_told_to_come_back_is_seen(name: str) -> None:
    assert list(lost_event_sources(name, read(name).replace("(jobs/[^/]+/)?stream", "stream")))
