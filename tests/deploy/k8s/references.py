"""Whether everything that is named is there: selectors and pods, services and ports, settings, secrets, accounts."""

from collections.abc import Iterator
from typing import Any

from tests.deploy.k8s.manifests import Installation, Manifest, Pod, matches, name_of


def selectors(installation: Installation) -> Iterator[str]:
    """Whatever selects pods selects some, and a workload its own."""
    for pod in installation.pods:
        selector = pod.owner["spec"].get("selector")
        if pod.owner["kind"] != "Job" and not matches(selector, pod.labels):
            yield f"{pod.owner['kind']} {pod.name} does not select its own pods"
        for spread in pod.spec.get("topologySpreadConstraints", []):
            if not matches(spread["labelSelector"], pod.labels):
                yield f"{pod.name} spreads over {spread['topologyKey']} by other pods than its own"
    for manifest in installation.of("Service", "PodDisruptionBudget", "PodMonitor", "NetworkPolicy"):
        if not selected_by(manifest, installation):
            yield f"{manifest['kind']} {name_of(manifest)} selects no pod"


def selected_by(manifest: Manifest, installation: Installation) -> list[Pod]:
    """Give the pods that a manifest selects."""
    spec = manifest["spec"]
    if manifest["kind"] == "Service":
        selector = {"matchLabels": spec["selector"]}
    else:
        selector = spec["podSelector" if manifest["kind"] == "NetworkPolicy" else "selector"]
    return [pod for pod in installation.pods if matches(selector, pod.labels)]


def services(installation: Installation) -> Iterator[str]:
    """Each port of a Service leads to a port of its pods, never to an admin port; each route leads to a Service."""
    for service in installation.of("Service"):
        for port in service["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            for pod in selected_by(service, installation):
                if pod.port(target) not in pod.ports.values():
                    yield f"Service {name_of(service)}: {pod.name} has no port {target}"
                elif pod.port(target) == pod.ports.get("admin"):
                    yield f"Service {name_of(service)} leads to the admin port of {pod.name}"
    for name, port in _backends(installation):
        found = installation.named("Service", name)
        if found is None:
            yield f"a route leads to a Service {name} that is not there"
        elif not any(port in (offered["port"], offered.get("name")) for offered in found["spec"]["ports"]):
            yield f"a route leads to port {port} of Service {name}, which has none"


def _backends(installation: Installation) -> Iterator[tuple[str, int | str]]:
    for route in installation.of("HTTPRoute"):
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs", []):
                yield backend["name"], backend["port"]
    for ingress in installation.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                yield service["name"], service["port"].get("name") or service["port"]["number"]


def names(installation: Installation) -> Iterator[str]:
    """Every ConfigMap, Secret (and key of it), ServiceAccount, volume and target that is named is there."""
    for pod in installation.pods:
        for kind, name, key in _named_by(pod):
            found = installation.named(kind, name)
            if found is None:
                yield f"{pod.name} names a {kind} {name} that is not there"
            elif key is not None and key not in found.get("data", {}):
                yield f"{pod.name} names {key} of the {kind} {name}, which has none"
        yield from _unmatched_mounts(pod)
    for authentication in installation.of("TriggerAuthentication"):
        for reference in authentication["spec"]["secretTargetRef"]:
            secret = installation.named("Secret", reference["name"])
            if secret is None or reference["key"] not in secret["data"]:
                yield f"TriggerAuthentication {name_of(authentication)}: no {reference['key']} in {reference['name']}"
    for scaler in installation.of("ScaledObject", "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if installation.named(target.get("kind", "Deployment"), target["name"]) is None:
            yield f"{scaler['kind']} {name_of(scaler)} scales {target['name']}, which is not there"


def _named_by(pod: Pod) -> Iterator[tuple[str, str, str | None]]:
    if account := pod.spec.get("serviceAccountName"):
        yield "ServiceAccount", account, None
    for volume in pod.spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], None
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"], None
    for container in pod.containers:
        for source in container.get("envFrom", []):
            kind, reference = ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
            yield kind, source[reference]["name"], None
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                yield "Secret", reference["name"], reference["key"]


def _unmatched_mounts(pod: Pod) -> Iterator[str]:
    claimed: list[dict[str, Any]] = pod.owner["spec"].get("volumeClaimTemplates", [])
    there = {volume["name"] for volume in pod.spec.get("volumes", [])} | {
        claim["metadata"]["name"] for claim in claimed
    }
    mounted = {mount["name"] for container in pod.containers for mount in container.get("volumeMounts", [])}
    yield from (f"{pod.name} mounts {name}, which is no volume" for name in sorted(mounted - there))
    yield from (f"{pod.name} has a volume {name} that nobody mounts" for name in sorted(there - mounted))


def scrapes(installation: Installation) -> Iterator[str]:
    """What Prometheus is told to ask is a port that the pods have."""
    for monitor in installation.of("PodMonitor"):
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            for pod in selected_by(monitor, installation):
                if pod.ports.get(endpoint["port"]) is None:
                    yield f"PodMonitor {name_of(monitor)} asks port {endpoint['port']} of {pod.name}, which has none"
                if endpoint["path"] != "/metrics":
                    yield f"PodMonitor {name_of(monitor)} asks for {endpoint['path']}; metrics are at /metrics"
