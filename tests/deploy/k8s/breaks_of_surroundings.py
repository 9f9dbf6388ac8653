"""What may be wrong between things: references, scaling, the network, and the ways in."""

from tests.deploy.k8s.breaks import Break
from tests.deploy.k8s.breaks_of_pods import (
    BOTH,
    FIRST,
    GATEWAY,
    LABEL,
    OF_PROCESSOR,
    POD,
    PROCESSOR,
    SCALE_DOWN,
    SCALED,
)
from tests.deploy.k8s.breaks_of_pods import TRIGGER as FIRST_TRIGGER

CLUSTER, SENTINEL, TO_ZERO = "keda-cluster", "keda-sentinel", "keda-scale-to-zero"
INGRESS, TUNNEL = "hpa-only, ingress", "cloudflared"
SERVICE, ROUTE = "Service waybill-gateway", "HTTPRoute waybill"
BUDGET, MONITOR = "PodDisruptionBudget waybill-gateway", "PodMonitor waybill"
GATEWAYS_SCALED = "ScaledObject waybill-gateway"
MODIFIERS = "spec/advanced/scalingModifiers"
KEDA = "Secret waybill-keda"
URL = "data/REDIS_URL"
BACKEND = "spec/rules/0/backendRefs/0"
ENDPOINT = "spec/podMetricsEndpoints/0"
SPREAD = f"{POD}/topologySpreadConstraints/0/labelSelector/matchLabels/tier"
NGINX = "metadata/annotations/nginx.ingress.kubernetes.io~1"
FIFTEEN = "+".join(f"p{number}" for number in range(15))
LARGEST = f"max({', '.join(f'p{number}' for number in range(16))})"

OF_REFERENCES = {
    "other pods than its own": Break("selectors", "own pods", (GATEWAY, f"spec/template/metadata/labels/{LABEL}"), "x"),
    "a Service of nobody": Break("selectors", "Service waybill-gateway", (SERVICE, "spec/selector/tier"), "x"),
    "a budget of nobody": Break("selectors", "Budget", (BUDGET, "spec/selector/matchLabels/tier"), "x"),
    "a policy of nobody": Break(
        "selectors", "scrapers", ("NetworkPolicy scrapers", "spec/podSelector/matchExpressions/0/values"), ["x"]
    ),
    "a monitor of nobody": Break(
        "selectors", "PodMonitor", (MONITOR, "spec/selector/matchExpressions/0/values"), ["x"]
    ),
    "a spread by others": Break("selectors", "spreads", (GATEWAY, SPREAD), "x"),
    "a port of nobody": Break("services", "no port web", (SERVICE, "spec/ports/0/targetPort"), "web"),
    "the admin port for all": Break("services", "admin port", (SERVICE, "spec/ports/0/targetPort"), "admin"),
    "a route to nowhere": Break("services", "is not there", (ROUTE, f"{BACKEND}/name"), "x"),
    "a route to no port": Break("services", "port 8080", (ROUTE, f"{BACKEND}/port"), 8080),
    "an Ingress to no port": Break(
        "services",
        "port web",
        ("Ingress waybill", "spec/rules/0/http/paths/0/backend/service/port/name"),
        "web",
        INGRESS,
    ),
    "a secret that is not there": Break("names", "waybill-gateway", ("Secret waybill-gateway", "")),
    "a secret without the hash of its generator": Break(
        "names", "no password", ("TriggerAuthentication waybill-redis", "spec/secretTargetRef/1/name"), "waybill-keda"
    ),
    "a key that is not there": Break("names", "no password", (KEDA, "data/password")),
    "an account that is not there": Break("names", "ServiceAccount", ("ServiceAccount waybill-processor", "")),
    "a variable's key that is not there": Break(
        "names", "access_key_id", ("Secret waybill-objects", "data/access_key_id"), at="dev"
    ),
    "a mount of nothing": Break("names", "tmp", (GATEWAY, f"{POD}/volumes/1")),
    "a volume for nobody": Break("names", "nobody mounts", (GATEWAY, f"{FIRST}/volumeMounts/1")),
    "a target that is not there": Break("names", "scales", (SCALED, "spec/scaleTargetRef/name"), "processors"),
    "scraped at no port": Break("scrapes", "metrics", (MONITOR, f"{ENDPOINT}/port"), "metrics"),
    "scraped at no path": Break("scrapes", "/metrics", (MONITOR, f"{ENDPOINT}/path"), "/"),
}
OF_SCALING = {
    "replicas where KEDA owns them": Break("owners of replicas", "replicas", (PROCESSOR, "spec/replicas"), 3),
    "replicas where an HPA owns them": Break("owners of replicas", "replicas", (GATEWAY, "spec/replicas"), 3, INGRESS),
    "two scalers": Break(
        "owners of replicas", "2 autoscalers", (GATEWAYS_SCALED, "spec/scaleTargetRef/name"), "waybill-processor"
    ),
    "no room": Break("owners of replicas", "no room", (SCALED, "spec/maxReplicaCount"), 2),
    "gateways unscaled": Break("owners of replicas", "waybill-gateway", (GATEWAYS_SCALED, "")),
    "another stream": Break("backlog", "command streams", (SCALED, f"{FIRST_TRIGGER}/stream"), "waybill:commands"),
    "a partition without a trigger": Break("backlog", "16 partitions", (SCALED, "spec/triggers/15"), at=CLUSTER),
    "a partition more": Break("backlog", "17 partitions", (BOTH, "data/WAYBILL_PARTITIONS"), "17", CLUSTER),
    "a partition left out": Break("backlog", "add up", (SCALED, f"{MODIFIERS}/formula"), FIFTEEN, CLUSTER),
    "the largest and not the sum": Break("backlog", "max", (SCALED, f"{MODIFIERS}/formula"), LARGEST, CLUSTER),
    "lag": Break("backlog", "lagCount", (SCALED, f"{FIRST_TRIGGER}/lagCount"), "4"),
    "pending entries": Break("backlog", "consumerGroup", (SCALED, f"{FIRST_TRIGGER}/consumerGroup"), "processors"),
    "another streamLength": Break("backlog", "streamLength", (SCALED, f"{FIRST_TRIGGER}/streamLength"), "5"),
    "more slots": Break("backlog", "WAYBILL_SLOTS=8", (OF_PROCESSOR, "data/WAYBILL_SLOTS"), "8"),
    "a target that KEDA cannot read": Break("backlog", "4.0", (SCALED, f"{MODIFIERS}/target"), "4.0"),
    "no fallback": Break("backlog", "scaled away", (SCALED, "spec/fallback")),
    "a fallback to few": Break("backlog", "scaled away", (SCALED, "spec/fallback/behavior"), "static"),
    "hasty": Break("backlog", "quiet moment", (SCALED, f"{SCALE_DOWN}/stabilizationWindowSeconds")),
    "upkeep without its trigger": Break("backlog", "upkeep", (SCALED, "spec/triggers/1"), at=TO_ZERO),
    "another Redis": Break("redis of KEDA", "another Redis", (BOTH, URL), "rediss://redis-2.example.internal:6379/0"),
    "another kind of Redis": Break(
        "redis of KEDA", "redis-streams", (BOTH, URL), "rediss+cluster://redis.example:6379"
    ),
    "another database": Break("redis of KEDA", "database", (SCALED, f"{FIRST_TRIGGER}/databaseIndex"), "1"),
    "another master": Break("redis of KEDA", "master", (SCALED, f"{FIRST_TRIGGER}/sentinelMaster"), "x", SENTINEL),
    "nobody's password": Break("redis of KEDA", "user", (SCALED, "spec/triggers/0/authenticationRef")),
    "KEDA as admin": Break("redis of KEDA", "admin", (KEDA, "data/username"), "YWRtaW4="),
    "KEDA without TLS": Break("redis of KEDA", "tls", (KEDA, "data/tls"), "ZGlzYWJsZQ=="),
    "KEDA without the Sentinels' password": Break(
        "redis of KEDA", "no sentinel_password", (KEDA, "data/sentinel_password"), at=SENTINEL
    ),
    "KEDA unknown to the Sentinels": Break(
        "redis of KEDA", "Sentinels", ("TriggerAuthentication waybill-redis", "spec/secretTargetRef/4"), at=SENTINEL
    ),
    "a metric that is none": Break(
        "streams", "sse_connections_open", (GATEWAYS_SCALED, f"{FIRST_TRIGGER}/query"), "sum(sse_connections_open)"
    ),
    "the streams of others": Break(
        "streams", "another namespace", (GATEWAYS_SCALED, f"{FIRST_TRIGGER}/query"), "sum(sse_connections_active)"
    ),
    "nobody scraped": Break("streams", "no viewer", (GATEWAYS_SCALED, f"{FIRST_TRIGGER}/ignoreNullValues")),
    "gateways filled up": Break("streams", "cannot take", (GATEWAYS_SCALED, f"{FIRST_TRIGGER}/threshold"), "15000"),
}
OF_FLOWS = {
    "nothing denied": Break("flows", "denies", ("NetworkPolicy default-deny", "")),
    "no names": Break("flows", "names", ("NetworkPolicy names", "")),
    "no Redis": Break("flows", "Redis:6379", ("NetworkPolicy redis", "")),
    "names by TCP alone": Break("flows", "cluster:53 by UDP", ("NetworkPolicy names", "spec/egress/0/ports/0")),
    "no names of Google": Break("flows", "Cloud DNS:53", ("NetworkPolicy names", "spec/egress/0/to/2")),
    "no names of OpenShift": Break("flows", "OpenShift's names:5353", ("NetworkPolicy names", "spec/egress/1")),
    "the machine's metadata by the names": Break(
        "flows", "metadata of the machine:80", ("NetworkPolicy names", "spec/egress/0/ports")
    ),
    "no Sentinels": Break("flows", "Redis:26379", ("NetworkPolicy redis", "spec/egress/0/ports/1"), at=SENTINEL),
    "no master behind Sentinels": Break(
        "flows", "Redis:6379", ("NetworkPolicy redis", "spec/egress/0/ports/0"), at=SENTINEL
    ),
    "Redis at another port": Break("flows", "Redis:6380", (BOTH, URL), "rediss://redis.example.internal:6380/0"),
    "the edge without QUIC": Break(
        "flows", "Cloudflare:7844 by UDP", ("NetworkPolicy tunnel", "spec/egress/1/ports/0"), at=TUNNEL
    ),
    "no store": Break("flows", "S3:443", ("NetworkPolicy https", "")),
    "no store in dev": Break("flows", "objects:7070", ("NetworkPolicy objects", ""), at="dev"),
    "no Redis in dev": Break("flows", "redis:6379", ("NetworkPolicy redis-dev", ""), at="dev"),
    "KEDA kept out": Break("flows", "KEDA", ("NetworkPolicy redis-server", "spec/ingress/0/from/1"), at="dev"),
    "no callers": Break("flows", "proxies", ("NetworkPolicy callers", "")),
    "callers at another port": Break(
        "flows", "gateway:8080", ("NetworkPolicy callers", "spec/ingress/0/ports/0/port"), 80
    ),
    "no metrics": Break("flows", "Prometheus", ("NetworkPolicy scrapers", "")),
    "no edge": Break("flows", "Cloudflare", ("NetworkPolicy tunnel", "spec/egress/1"), at=TUNNEL),
    "the tunnel cut off": Break("flows", "tunnel cannot", ("NetworkPolicy tunnel", "spec/egress/0"), at=TUNNEL),
    "callers at the admin port": Break("flows", "gateway:9090", ("NetworkPolicy callers", "spec/ingress/0/ports")),
    "everybody calls": Break("flows", "another namespace", ("NetworkPolicy callers", "spec/ingress/0/from")),
    "the machine's metadata": Break("flows", "metadata", ("NetworkPolicy https", "spec/egress/0/to/0/ipBlock/except")),
    "any port outside": Break("flows", "somebody:22", ("NetworkPolicy https", "spec/egress/0/ports")),
}
OF_WAYS_IN = {
    "less patient than the heartbeat": Break(
        "patience", "silent for 15 s", ("Ingress waybill", f"{NGINX}proxy-read-timeout"), "15", INGRESS
    ),
    "the default patience": Break(
        "patience", "silent for 60 s", ("Ingress waybill", f"{NGINX}proxy-read-timeout"), at=INGRESS
    ),
    "impatient with viewers": Break(
        "patience", "slow viewers", ("Ingress waybill", f"{NGINX}proxy-send-timeout"), "10", INGRESS
    ),
    "buffered": Break("patience", "holds events", ("Ingress waybill", f"{NGINX}proxy-buffering"), at=INGRESS),
    "archives on disk": Break("patience", "disk", ("Ingress waybill", f"{NGINX}proxy-max-temp-file-size"), at=INGRESS),
    "large bodies": Break("patience", "MAX_BODY_BYTES", ("Ingress waybill", f"{NGINX}proxy-body-size"), "1m", INGRESS),
    "an Ingress without TLS": Break("patience", "TLS", ("Ingress waybill", "spec/tls"), at=INGRESS),
    "Envoy's 15 seconds": Break("patience", "whole answer", (ROUTE, "spec/rules/0/timeouts")),
    "a Gateway without TLS": Break("patience", "TLS", ("Gateway waybill", "spec/listeners/1")),
    "links in callbacks to another name": Break(
        "hosts", "example.net", (OF_PROCESSOR, "data/WAYBILL_PUBLIC_URL"), "https://waybill.example.net"
    ),
    "another name": Break("hosts", "example.net", (ROUTE, "spec/hostnames"), ["waybill.example.net"]),
}
