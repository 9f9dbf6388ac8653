"""Who scales what, by which numbers: those of the application, once."""

import re
from collections.abc import Iterator

from deploy.overlay.backlog import miscounts
from deploy.overlay.keda import disagreements
from tests.deploy.k8s.manifests import Installation, Manifest, name_of
from tests.support.kustomize import ROOT

SCALED = ("waybill-gateway", "waybill-processor")


def owners(installation: Installation) -> Iterator[str]:
    """A number of replicas is an autoscaler's or the Deployment's own, never both's; nobody has two scalers."""
    scalers = installation.of("ScaledObject", "HorizontalPodAutoscaler")
    targets = [scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers]
    for name in sorted(set(targets)):
        if targets.count(name) > 1:
            yield f"{name} has {targets.count(name)} autoscalers"
        if "replicas" in installation.get("Deployment", name)["spec"]:
            yield f"Deployment {name} sets replicas, which are its autoscaler's"
    if targets and set(targets) != set(SCALED):
        yield f"{sorted(set(SCALED) - set(targets))} is not scaled"
    for scaler in scalers:
        spec = scaler["spec"]
        least = spec.get("minReplicaCount", spec.get("minReplicas"))
        most = spec.get("maxReplicaCount", spec.get("maxReplicas"))
        if least is None or most is None or not least < most:
            yield f"{scaler['kind']} {name_of(scaler)} has no room between {least} and {most}"


def backlog(installation: Installation) -> Iterator[str]:
    """KEDA counts the unfinished jobs of every partition, and wants a processor for as many as it has slots."""
    scaler = installation.find("ScaledObject", "waybill-processor")
    if scaler is None:
        return
    yield from miscounts(installation.manifests)
    yield from _fallback(scaler)


def _fallback(scaler: Manifest) -> Iterator[str]:
    fallback = scaler["spec"].get("fallback", {})
    if not fallback.get("replicas") or fallback.get("behavior") != "currentReplicasIfHigher":
        yield f"{name_of(scaler)} is scaled away while its source is away"
    behaviour = scaler["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    if behaviour["scaleDown"].get("stabilizationWindowSeconds", 0) < 300:
        yield f"{name_of(scaler)} is scaled down at the first quiet moment"


def redis(installation: Installation) -> Iterator[str]:
    """KEDA asks the Redis of REDIS_URL, in its way, as the user who may do nothing else."""
    yield from disagreements(installation.manifests)


def streams(installation: Installation) -> Iterator[str]:
    """Gateways are scaled by metrics that they have, of their own namespace, well below what they hold."""
    scaler = installation.find("ScaledObject", "waybill-gateway")
    if scaler is None:
        return
    [trigger] = [trigger for trigger in scaler["spec"]["triggers"] if trigger["type"] == "prometheus"]
    query, threshold = trigger["metadata"]["query"], int(trigger["metadata"]["threshold"])
    offered = (ROOT / "gateway/metrics.py").read_text(encoding="utf-8")
    for metric in re.findall(r"\w+_connections_\w+", query):
        if f'"{metric}"' not in offered:
            yield f"no gateway has a metric {metric}"
    if trigger["metadata"].get("ignoreNullValues") != "false":
        yield "a Prometheus that scrapes no gateway is taken for one that counts no viewer"
    namespace = installation.get("Deployment", "waybill-gateway")["metadata"].get("namespace")
    if f'namespace="{namespace}"' not in query:
        yield f"the streams of another namespace than {namespace} are counted"
    if threshold * 2 > int(installation.environment_of("gateway")["WAYBILL_MAX_STREAMS"]):
        yield f"when one of two gateways with {threshold:,} streams dies, the other cannot take them"
    yield from _fallback(scaler)
