"""How pods are locked up, what they may use, how they are asked how they are, and how they end."""

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.overlay.programs import refusals
from gateway.server import ABORT_AFTER_SECONDS
from shared import limits
from tests.deploy.k8s.manifests import Installation, Pod

VIEWER_BYTES = 9_000
"""docs/benchmarks.md: 8.8 KB."""
GATEWAY_BYTES = 130_000_000
PROCESSOR_BYTES = 128_000_000
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def security(installation: Installation) -> Iterator[str]:
    """Every pod is what Pod Security calls restricted, and more: no token, no writable root, a user by number."""
    for namespace in installation.of("Namespace"):
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"the namespace {namespace['metadata']['name']} does not enforce the restricted Pod Security"
    for pod in installation.pods:
        around = pod.spec.get("securityContext", {})
        wanted: list[tuple[str, object, object]] = [
            ("runAsNonRoot", around.get("runAsNonRoot"), True),
            ("a runAsUser that is not root", isinstance(user := around.get("runAsUser"), int) and user > 0, True),
            ("the seccompProfile RuntimeDefault", around.get("seccompProfile"), {"type": "RuntimeDefault"}),
            ("automountServiceAccountToken: false", pod.spec.get("automountServiceAccountToken"), False),
            # A Service called waybill would be WAYBILL_PORT=tcp://… in each of them.
            ("enableServiceLinks: false", pod.spec.get("enableServiceLinks"), False),
            ("no hostNetwork, hostPID or hostIPC", any(f"host{of}" in pod.spec for of in ("Network", "PID", "IPC")), 0),
        ]
        for container in pod.containers:
            own = container.get("securityContext", {})
            wanted += [
                ("allowPrivilegeEscalation: false", own.get("allowPrivilegeEscalation"), False),
                ("readOnlyRootFilesystem", own.get("readOnlyRootFilesystem"), True),
                ("all capabilities dropped", own.get("capabilities"), {"drop": ["ALL"]}),
                ("an image with a tag", _has_tag(container["image"]), True),
            ]
        yield from (f"{pod.name} wants {what}" for what, found, right in wanted if found != right)


def _has_tag(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag not in ("", "latest")


def resources(installation: Installation) -> Iterator[str]:
    """Memory is bounded, and by enough; CPU is asked for, and not bounded."""
    for pod in installation.pods:
        for container in pod.containers:
            asked, most = (container.get("resources", {}).get(part, {}) for part in ("requests", "limits"))
            if not {"cpu", "memory"} <= asked.keys() or "memory" not in most:
                yield f"{pod.name} {container['name']} wants requests of CPU and memory, and a limit of memory"
            elif "cpu" in most:
                yield f"{pod.name} {container['name']} has a limit of CPU, at which its leases and streams suffer"
            elif bytes_of(most["memory"]) < (needed := _needed_bytes(installation, pod, container)):
                yield f"{pod.name} {container['name']} needs {needed:,} bytes of memory at its limits"


def bytes_of(quantity: str) -> int:
    """Read a quantity of memory."""
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def _needed_bytes(installation: Installation, pod: Pod, container: Mapping[str, Any]) -> int:
    environment = installation.environment(container)
    if pod.component == "gateway":
        return GATEWAY_BYTES + int(environment["WAYBILL_MAX_STREAMS"]) * VIEWER_BYTES
    if pod.component == "processor":
        return PROCESSOR_BYTES + int(environment["WAYBILL_SLOTS"]) * limits.PARTS_IN_FLIGHT_BYTES
    return 0


def probes(installation: Installation) -> Iterator[str]:
    """Probes ask ports that are there, liveness nothing that depends on others; an outage takes no callers away."""
    for pod in installation.pods:
        for container in pod.containers:
            for probe in (container[name] for name in PROBES if name in container):
                [(how, target)] = [(key, probe[key]) for key in ("httpGet", "tcpSocket") if key in probe]
                if pod.port(target["port"]) not in pod.ports.values():
                    yield f"{pod.name} is probed at port {target['port']}, which it does not have"
                if pod.component in ("gateway", "processor") and (how, target["port"]) != ("httpGet", "admin"):
                    yield f"{pod.name} is not probed at its admin port"
    for component, ready in (("gateway", "/startedz"), ("processor", "/readyz")):
        for pod in installation.pods_of(component):
            asked = [pod.spec["containers"][0].get(name, {}).get("httpGet", {}).get("path") for name in PROBES]
            if asked != ["/livez", "/livez", ready]:
                yield f"{pod.name} asks {asked}, and not /livez, /livez, {ready}"


def ends(installation: Installation) -> Iterator[str]:
    """The kubelet kills later than the drain ends, preStop included; nobody's rolling update takes a gateway early."""
    for component in ("gateway", "processor"):
        for pod in installation.pods_of(component):
            before = pod.spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {})
            pause_seconds = before.get("seconds", 0)
            stop_seconds = float(installation.environment_of(component)["WAYBILL_STOP_GRACE_SECONDS"])
            grace_seconds = pod.spec.get("terminationGracePeriodSeconds", 30)
            if grace_seconds <= pause_seconds + stop_seconds:
                yield (
                    f"{pod.name} is killed after {grace_seconds} s; preStop and WAYBILL_STOP_GRACE_SECONDS are "
                    f"{pause_seconds + stop_seconds:g}"
                )
            if component == "gateway" and pause_seconds < 1:
                yield f"{pod.name} has no preStop: callers are still sent there when it stops accepting"
            if component == "gateway" and pod.owner["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
                yield f"{pod.name}: a rolling update takes gateways away before others are there"
    yield from _drains(installation)
    for component in ("gateway", "processor"):
        budgets = installation.of("PodDisruptionBudget")
        if not any(budget["metadata"]["name"] == f"waybill-{component}" for budget in budgets):
            yield f"waybill-{component} has no PodDisruptionBudget"


def _drains(installation: Installation) -> Iterator[str]:
    gateway = installation.environment_of("gateway")
    drain_seconds = float(gateway["WAYBILL_DRAIN_SECONDS"])
    a_second = limits.DRAIN_STREAMS_AT_ONCE / limits.DRAIN_PAUSE_SECONDS
    if int(gateway["WAYBILL_MAX_STREAMS"]) > a_second * drain_seconds * limits.DRAIN_SHARE:
        yield "WAYBILL_DRAIN_SECONDS is too short to send WAYBILL_MAX_STREAMS away at the pace that others bear"
    if drain_seconds + 3 * ABORT_AFTER_SECONDS > float(gateway["WAYBILL_STOP_GRACE_SECONDS"]):
        yield "a gateway is killed before it has aborted what outlived its drain"


def settings(installation: Installation) -> Iterator[str]:
    """Both programs take their environment as it is, and know every variable of it; ports are those of the pod."""
    yield from refusals(installation.manifests)
    for component in ("gateway", "processor"):
        environment = installation.environment_of(component)
        if environment.get("WAYBILL_ADMIN_HOST", "127.0.0.1").startswith("127."):
            yield f"{component}: the kubelet cannot reach an admin port on loopback"
        [pod] = installation.pods_of(component)
        wanted = {"admin": environment.get("WAYBILL_ADMIN_PORT")}
        if component == "gateway":
            wanted["http"] = environment.get("WAYBILL_PORT")
        if {name: str(port) for name, port in pod.ports.items()} != wanted:
            yield f"{component}: the pod's ports are {pod.ports}, those of its settings {wanted}"
