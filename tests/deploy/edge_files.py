"""Reads the files of deploy/ by which Waybill is reached, as far as checks want to know: paths, times, Terraform."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import yaml
from hcl2.api import loads

from gateway.contract.document import openapi

ROOT = Path(__file__).resolve().parents[2]
NGINX = "deploy/nginx/conf.d/waybill.conf"
HAPROXY = "deploy/proxies/haproxy.cfg"
CADDY = "deploy/proxies/Caddyfile"
TRAEFIK = "deploy/proxies/traefik/traefik.yaml"
TRAEFIK_ROUTES = "deploy/proxies/traefik/routes.yaml"
ENVOY = "deploy/proxies/envoy.yaml"
GATEWAY_API = "deploy/proxies/gateway-api.yaml"
ALB = "deploy/proxies/alb.yaml"
CLOUDFLARE = "deploy/cloudflare"
TERRAFORM = tuple(sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / CLOUDFLARE).glob("*.tf")))
HOSTNAME = "waybill.example.org"

Matcher = Callable[[str], bool]


def read(name: str) -> str:
    """Give a file's text; `name` is relative to the repository's root."""
    return (ROOT / name).read_text(encoding="utf-8")


# ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def api_paths(media_type: str | None = None) -> set[str]:
    """Give every path of the OpenAPI document, an id in place of each parameter; or those that answer with a type."""
    paths: dict[str, Any] = openapi("0")["paths"]
    return {
        re.sub(r"\{[^}]+\}", "7f0c6a5e", path)
        for path, calls in paths.items()
        if media_type is None or media_type in _media_types(calls)
    }


def _media_types(calls: dict[str, Any]) -> set[str]:
    answers = [answer for call in calls.values() if isinstance(call, dict) for answer in call["responses"].values()]
    return {kind for answer in answers for kind in answer.get("content", {})}


STREAMS = api_paths("text/event-stream")
ARCHIVES = api_paths("application/zip")


def mentioned_paths(text: str) -> Iterator[str]:
    """Give what a text says of paths of the API, as regular expressions."""
    for found in re.findall(r"/v1/[^\s\"'`|;\\]*", text):
        yield re.sub(r"\$\w+|\{\w*\}|…", "[^/]+", re.sub(r"\?\w+=.*", "", found).rstrip(".,:$/").removesuffix(")"))


# ── which requests a file treats as streams, and as archives ──────────────────────────────────────────────────────────


def nginx_matchers(text: str) -> tuple[Matcher, Matcher]:
    """Give those of nginx: by what their locations do."""
    locations = dict(re.findall(r"\n    location ~ (\S+) \{(.*?)\n    \}", text, re.DOTALL))
    streams = [path for path, inside in locations.items() if "proxy_buffering off;" in inside]
    archives = [path for path, inside in locations.items() if "proxy_max_temp_file_size 0;" in inside]
    return _any_of(streams), _any_of(archives)


def haproxy_matchers(text: str) -> tuple[Matcher, Matcher]:
    """Give those of HAProxy: its acls."""
    acls = re.findall(r"acl (\w+) path_reg (\S+)", text)
    return (
        _any_of([path for name, path in acls if name == "is_stream"]),
        _any_of([path for name, path in acls if name == "is_archive"]),
    )


def envoy_matchers(text: str) -> tuple[Matcher, Matcher]:
    """Give those of Envoy: what has no bound for a whole answer, by the silence that it may keep."""
    routes = [route for route in envoy_routes(text) if route["route"].get("timeout") == "0s"]
    paths = {route["match"]["safe_regex"]["regex"]: route["route"]["idle_timeout"] for route in routes}
    return (
        _any_of([f"^{path}$" for path, silence in paths.items() if silence == "60s"]),
        _any_of([f"^{path}$" for path, silence in paths.items() if silence == "150s"]),
    )


def envoy_routes(text: str) -> list[dict[str, Any]]:
    """Give Envoy's routes."""
    [listener] = yaml.safe_load(text)["static_resources"]["listeners"]
    [connections] = listener["filter_chains"][0]["filters"]
    [host] = connections["typed_config"]["route_config"]["virtual_hosts"]
    return cast(list[dict[str, Any]], host["routes"])


def terraform_matchers(text: str) -> tuple[Matcher, Matcher]:
    """Give those of Cloudflare's rules, for our host."""
    return expression_matcher(text, "is_stream"), expression_matcher(text, "is_archive")


def _any_of(patterns: list[str]) -> Matcher:
    return lambda path: any(re.search(pattern, path) for pattern in patterns)


# ── Terraform ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def terraform(text: str) -> dict[str, Any]:
    """Parse Terraform; of a reference there is its text, `${local.is_ours}`."""
    return cast(dict[str, Any], loads(text))


def resources(text: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give kind, name and body of each resource."""
    for block in terraform(text).get("resource", []):
        for kind, named in block.items():
            for name, body in named.items():
                yield kind, name, body


def resolved(text: str, name: str, plan: str = "pro") -> str:
    """Give a local that is a rule's expression, with everything in it that it refers to."""
    [names] = terraform(text)["locals"]
    names = {name: names.get(f"{name}_by_plan", {}).get(plan, at) for name, at in names.items()}
    expression = f"${{local.{name}}}"
    while references := re.findall(r"\$\{local\.(\w+)\}", expression):
        for reference in references:
            expression = expression.replace(f"${{local.{reference}}}", names[reference])
    return expression.replace("${var.hostname}", HOSTNAME)


def expression_matcher(
    text: str, name: str, *, plan: str = "pro", method: str = "GET", host: str = HOSTNAME
) -> Matcher:
    """Give what a local says of a request, as Cloudflare would read it."""
    expression = resolved(text, name, plan)
    for field, ours in {"http.request.uri.path": "path", "http.host": "host", "http.request.method": "method"}.items():
        expression = expression.replace(field, ours)
    code = compile(re.sub(r"\beq\b", "==", expression), name, "eval")
    functions = {"starts_with": str.startswith, "ends_with": str.endswith, "__builtins__": {}}
    return lambda path: bool(eval(code, functions, {"path": path, "host": host, "method": method}))
