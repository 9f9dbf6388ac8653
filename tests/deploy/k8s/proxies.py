"""What stands before gateways is more patient than streams are silent, holds nothing back, bounds no whole answer."""

from collections.abc import Iterator

from shared import limits
from tests.deploy.k8s.manifests import Installation, name_of

HEARTBEAT_SECONDS = limits.HEARTBEAT_EVERY_SECONDS * 1.2
NGINX = "nginx.ingress.kubernetes.io/"


def patience(installation: Installation) -> Iterator[str]:
    """Hold every way in against the heartbeat, the longest poll, and what streams and archives need."""
    for ingress in installation.of("Ingress"):
        said = {key.removeprefix(NGINX): text for key, text in ingress["metadata"].get("annotations", {}).items()}
        silent_seconds = int(said.get("proxy-read-timeout", "60"))
        if silent_seconds < max(HEARTBEAT_SECONDS, limits.MAX_LONG_POLL_SECONDS, limits.STORE_PATIENCE_SECONDS):
            yield f"Ingress {name_of(ingress)} cuts what is silent for {silent_seconds} s"
        if int(said.get("proxy-send-timeout", "60")) < limits.STREAM_SEND_WITHIN_SECONDS:
            yield f"Ingress {name_of(ingress)} is less patient with slow viewers than gateways are"
        if said.get("proxy-buffering") != "off":
            yield f"Ingress {name_of(ingress)} holds events back"
        if said.get("proxy-max-temp-file-size") != "0":
            yield f"Ingress {name_of(ingress)} writes archives to its disk"
        if said.get("proxy-body-size") != f"{limits.MAX_BODY_BYTES // 1024}k":
            yield f"Ingress {name_of(ingress)} takes other bodies than MAX_BODY_BYTES"
        if not ingress["spec"].get("tls"):
            yield f"Ingress {name_of(ingress)} has no TLS: API keys are read on the way"
    for route in installation.of("HTTPRoute"):
        for rule in route["spec"]["rules"]:
            if "backendRefs" in rule and rule.get("timeouts") != {"request": "0s", "backendRequest": "0s"}:
                yield f"HTTPRoute {name_of(route)} bounds the whole answer: streams are cut, large archives never come"
    for gateway in installation.of("Gateway"):
        if "HTTPS" not in [listener["protocol"] for listener in gateway["spec"]["listeners"]]:
            yield f"Gateway {name_of(gateway)} has no TLS: API keys are read on the way"


def hosts(installation: Installation) -> Iterator[str]:
    """The name by which callers come is the same everywhere."""
    known = installation.environment_of("gateway").get("WAYBILL_HOSTS")
    found = [host for route in installation.of("HTTPRoute") for host in route["spec"]["hostnames"]]
    if public := installation.environment_of("processor").get("WAYBILL_PUBLIC_URL"):
        found.append(public.removeprefix("https://"))
    found += [rule["host"] for ingress in installation.of("Ingress") for rule in ingress["spec"]["rules"]]
    found += [
        listener["hostname"] for gateway in installation.of("Gateway") for listener in gateway["spec"]["listeners"]
    ]
    yield from (f"callers come by {host}, and WAYBILL_HOSTS is {known}" for host in sorted(set(found) - {known or ""}))
