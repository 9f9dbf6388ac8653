"""What Cloudflare's Terraform provider 5.22.0 takes, of what deploy/cloudflare uses; as its own schema says it.

The provider itself cannot be had where only package indexes answer. Its documentation calls ids of zones and accounts
optional; it insists on them. An object is a dict, a list of objects a list with
one, a map of objects has `*` for its names; `!` ends the name of what is required, a frozenset has the words there are.
"""

from collections.abc import Iterator
from typing import Any

PROVIDER_VERSION = "5.22.0"

_PHASES = frozenset(
    {
        "http_config_settings", "http_ratelimit", "http_request_cache_settings", "http_request_dynamic_redirect",
        "http_request_firewall_custom", "http_request_late_transform", "http_request_sbfm",
        "http_response_compression", "http_response_headers_transform",
    }
)  # fmt: skip
_PRODUCTS = frozenset({"bic", "hot", "rateLimit", "securityLevel", "uaBlock", "waf", "zoneLockdown"})
_SECURITY_LEVELS = frozenset({"off", "essentially_off", "low", "medium", "high", "under_attack"})
_ALGORITHMS = frozenset({"none", "auto", "default", "gzip", "brotli", "zstd"})
_BROWSER_TTLS = frozenset({"respect_origin", "bypass_by_default", "override_origin", "bypass"})
_ACTIONS = frozenset({"block", "compress_response", "redirect", "rewrite", "set_cache_settings", "set_config", "skip"})

_ACTION_PARAMETERS: dict[str, Any] = {
    "algorithms": [{"name": _ALGORITHMS}],
    "automatic_https_rewrites": bool,
    "bic": bool,
    "browser_ttl": {"mode!": _BROWSER_TTLS, "default": int},
    "cache": bool,
    "disable_rum": bool,
    "disable_zaraz": bool,
    "email_obfuscation": bool,
    "from_value": {
        "preserve_query_string": bool,
        "status_code": int,
        "target_url!": {"expression": str, "value": str},
    },
    "headers": {"*": {"operation!": frozenset({"add", "set", "remove"}), "value": str, "expression": str}},
    "phases": [_PHASES],
    "products": [_PRODUCTS],
    "response_body_buffering": frozenset({"none", "standard"}),
    "rocket_loader": bool,
    "security_level": _SECURITY_LEVELS,
}
_RULE: dict[str, Any] = {
    "action!": _ACTIONS,
    "expression!": str,
    "action_parameters": _ACTION_PARAMETERS,
    "description": str,
    "enabled": bool,
    "logging": {"enabled": bool},
    "ratelimit": {
        "characteristics!": [str],
        "period!": int,
        "mitigation_timeout": int,
        "requests_per_period": int,
    },
    "ref": str,
}
_ORIGIN_REQUEST: dict[str, Any] = {
    "connect_timeout": int,
    "disable_chunked_encoding": bool,
    "keep_alive_connections": int,
    "keep_alive_timeout": int,
    "origin_server_name": str,
    "tcp_keep_alive": int,
}
SCHEMA: dict[str, dict[str, Any]] = {
    "cloudflare_ruleset": {
        "zone_id": str,
        "name!": str,
        "kind!": frozenset({"managed", "custom", "root", "zone"}),
        "phase!": _PHASES,
        "rules": [_RULE],
    },
    "cloudflare_bot_management": {"zone_id!": str, "fight_mode": bool, "enable_js": bool},
    "cloudflare_zone_setting": {"zone_id!": str, "setting_id!": str, "value!": str},
    "cloudflare_zero_trust_tunnel_cloudflared": {
        "account_id!": str,
        "name!": str,
        "config_src": frozenset({"local", "cloudflare"}),
    },
    "cloudflare_zero_trust_tunnel_cloudflared_config": {
        "account_id!": str,
        "tunnel_id!": str,
        "config": {"ingress": [{"service!": str, "hostname": str, "origin_request": _ORIGIN_REQUEST}]},
    },
    "cloudflare_dns_record": {
        "zone_id!": str,
        "name!": str,
        "type!": frozenset({"A", "AAAA", "CNAME"}),
        "content": str,
        "ttl!": int,
        "proxied": bool,
        "comment": str,
    },
}
TERRAFORMS_OWN = ("count",)


def breaches(where: str, value: Any, schema: Any) -> Iterator[str]:
    """Tell what the provider would refuse; what is an expression is taken for right."""
    if isinstance(value, str) and value.startswith("${"):
        return
    match schema:
        case {"*": inner}:
            for name, each in value.items():
                yield from breaches(f"{where}.{name}", each, inner)
        case dict():
            yield from _breaches_of_object(where, value, schema)
        case [inner]:
            for number, each in enumerate(value if isinstance(value, list) else ["not a list"]):
                yield from breaches(f"{where}[{number}]", each, inner)
        case frozenset():
            if value not in schema:
                yield f"{where} is {value!r}, and not one of {', '.join(sorted(schema))}"
        case _:
            if type(value) is not schema:
                yield f"{where} is {value!r}, and no {schema.__name__}"


def _breaches_of_object(where: str, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is no object"
        return
    kinds = {name.removesuffix("!"): kind for name, kind in schema.items()}
    for name in kinds:
        if f"{name}!" in schema and name not in value:
            yield f"{where} has no {name}"
    for name, each in value.items():
        if name not in kinds:
            yield f"{where} has a {name}, which the provider does not know"
        else:
            yield from breaches(f"{where}.{name}", each, kinds[name])
