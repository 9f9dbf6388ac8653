"""Who may speak to whom: NetworkPolicies judged as a network plugin does it, against the flows that are needed.

A flow is allowed when the policies of its start (egress) and of its end (ingress) let it through; whoever no
policy of a direction selects may do everything in it (Kubernetes, "Network Policies").
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from shared.jobstore.location import Mode, parse_location
from tests.deploy.k8s.manifests import Installation, Pod, matches

METADATA = "169.254.169.254"
SOMEWHERE = "198.51.100.7"
PRIVATE = "10.1.2.3"


class Flow(NamedTuple):
    """What one end wants of the other: a port, by TCP unless it says otherwise."""

    start: "Peer"
    end: "Peer"
    port: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.end.shown}:{self.port}{'' if self.protocol == 'TCP' else ' by ' + self.protocol}"


class Peer(NamedTuple):
    """One end of a flow: a pod of ours, a pod of another namespace, or an address."""

    shown: str
    pod: Pod | None = None
    namespace: str | None = None
    address: str | None = None

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its pod."""
        return self.pod.labels if self.pod else {}


def flows(installation: Installation) -> Iterator[str]:
    """Everything that is needed goes through, and nothing of what must not."""
    if not _denies_by_default(installation):
        yield "nothing denies by default in both directions"
    for flow in _needed(installation):
        if not allowed(installation, flow):
            yield f"{flow.start.shown} cannot reach {flow}"
    for flow in _forbidden(installation):
        if allowed(installation, flow):
            yield f"{flow.start.shown} can reach {flow}"


def _denies_by_default(installation: Installation) -> bool:
    return any(
        policy["spec"]["podSelector"] == {}
        and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not policy["spec"].get("ingress")
        and not policy["spec"].get("egress")
        for policy in installation.of("NetworkPolicy")
    )


def _needed(installation: Installation) -> Iterator[Flow]:
    programs = _peers(installation, "gateway", "processor")
    objects = _peers(installation, "objects")
    for program in programs:
        yield Flow(program, *((objects[0], 7070) if objects else (Peer("S3", address=SOMEWHERE), 443)))
    for program in (*programs, *_peers(installation, "admin")):
        yield from (Flow(program, redis, port) for redis, port in _redis(installation))
    for asking in (*programs, *_peers(installation, "admin", "tunnel")):
        yield from _names(asking)
    [gateway] = _peers(installation, "gateway")
    for caller in callers(installation):
        yield Flow(caller, gateway, 8080)
    for tunnel in _peers(installation, "tunnel"):
        for protocol in ("TCP", "UDP"):
            yield Flow(tunnel, Peer("Cloudflare", address=SOMEWHERE), 7844, protocol)
    if installation.of("PodMonitor"):
        for program, port in zip(programs, (9090, 9091), strict=True):
            yield Flow(Peer("Prometheus", namespace="monitoring"), program, port)
    for redis in _peers(installation, "redis"):
        yield Flow(Peer("KEDA", namespace="keda"), redis, 6379)


def _redis(installation: Installation) -> Iterator[tuple[Peer, int]]:
    """Give what REDIS_URL names; where those are Sentinels, the master too, which they name by its usual port."""
    location = parse_location(installation.environment_of("gateway")["REDIS_URL"])
    [redis] = _peers(installation, "redis") or [Peer("Redis", address=PRIVATE)]
    ports = {address.port for address in location.addresses}
    yield from ((redis, port) for port in sorted(ports | ({6379} if location.mode is Mode.SENTINEL else set())))


def _names(asking: Peer) -> Iterator[Flow]:
    """Give the ways to ask for a name in the clusters that we know of; small answers come by UDP, large ones by TCP."""
    for protocol in ("UDP", "TCP"):
        yield Flow(asking, Peer("the names of the cluster", namespace="kube-system"), 53, protocol)
        yield Flow(asking, Peer("NodeLocal DNSCache", address="169.254.20.10"), 53, protocol)
        yield Flow(asking, Peer("Cloud DNS", address=METADATA), 53, protocol)
        yield Flow(asking, Peer("OpenShift's names", namespace="openshift-dns"), 5353, protocol)


def callers(installation: Installation) -> list[Peer]:
    """Give those through whom callers come."""
    found = _peers(installation, "tunnel")
    found += [Peer("the Gateway's proxies", namespace="envoy-gateway-system") for _ in installation.of("Gateway")]
    return found + [Peer("the Ingress controller", namespace="ingress-nginx") for _ in installation.of("Ingress")]


def _forbidden(installation: Installation) -> Iterator[Flow]:
    programs = _peers(installation, "gateway", "processor")
    stranger = Peer("a pod of another namespace", namespace="default")
    for program in programs:
        for port in (80, 443, 6379):
            yield Flow(program, Peer("the metadata of the machine", address=METADATA), port)
        yield Flow(program, Peer("a port of somebody", address=SOMEWHERE), 22)
        for port in (8080, 9090, 9091):
            yield Flow(stranger, program, port)
        for caller in callers(installation):
            yield Flow(caller, program, 9090)
            yield Flow(caller, program, 9091)
    [gateway], [processor] = _peers(installation, "gateway"), _peers(installation, "processor")
    yield Flow(processor, gateway, 8080)
    yield Flow(gateway, processor, 9091)
    for server, port in ((peer, 6379) for peer in _peers(installation, "redis")):
        yield Flow(stranger, server, port)
        yield from (Flow(other, server, port) for other in _peers(installation, "buckets", "objects"))
    for tunnel in _peers(installation, "tunnel"):
        yield Flow(tunnel, Peer("a private address", address=PRIVATE), 443)
        yield Flow(tunnel, gateway, 9090)
    for admin in _peers(installation, "admin"):
        yield Flow(admin, Peer("an address", address=SOMEWHERE), 443)


def _peers(installation: Installation, *components: str) -> list[Peer]:
    return [Peer(component, pod=pod) for component in components for pod in installation.pods_of(component)]


def allowed(installation: Installation, flow: Flow) -> bool:
    """Tell whether it goes through."""
    return _lets(installation, "egress", flow) and _lets(installation, "ingress", flow)


def _lets(installation: Installation, direction: str, flow: Flow) -> bool:
    own = flow.start if direction == "egress" else flow.end
    if own.pod is None:
        return True
    policies = [
        policy["spec"]
        for policy in installation.of("NetworkPolicy")
        if direction.title() in policy["spec"]["policyTypes"] and matches(policy["spec"]["podSelector"], own.labels)
    ]
    rules = [rule for policy in policies for rule in policy.get(direction, [])]
    return not policies or any(_lets_through(rule, direction, flow) for rule in rules)


def _lets_through(rule: Mapping[str, Any], direction: str, flow: Flow) -> bool:
    others, other = (rule.get("to"), flow.end) if direction == "egress" else (rule.get("from"), flow.start)
    return _has_port(rule.get("ports"), flow) and (
        others is None or any(_is_meant(selector, other) for selector in others)
    )


def _has_port(ports: list[Mapping[str, Any]] | None, flow: Flow) -> bool:
    if ports is None:
        return True
    numbers = [
        (flow.end.pod.port(entry["port"]) if flow.end.pod else entry["port"])
        for entry in ports
        if entry.get("protocol", "TCP") == flow.protocol
    ]
    return flow.port in numbers


def _is_meant(selector: Mapping[str, Any], peer: Peer) -> bool:
    if "ipBlock" in selector:
        return peer.address is not None and _holds(selector["ipBlock"], peer.address)
    if "namespaceSelector" in selector:
        return peer.namespace is not None and matches(
            selector["namespaceSelector"], {"kubernetes.io/metadata.name": peer.namespace}
        )
    return peer.pod is not None and matches(selector["podSelector"], peer.labels)


def _holds(block: Mapping[str, Any], address: str) -> bool:
    found = ipaddress.ip_address(address)
    excepted = (ipaddress.ip_network(network) for network in block.get("except", []))
    return found in ipaddress.ip_network(block["cidr"]) and not any(found in network for network in excepted)
