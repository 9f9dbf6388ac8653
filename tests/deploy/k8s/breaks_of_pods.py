"""What may be wrong with a manifest, with a pod, and with the settings of its program."""

from tests.deploy.k8s.breaks import Break

GATEWAY, PROCESSOR, ADMIN = (f"Deployment waybill-{name}" for name in ("gateway", "processor", "admin"))
POD = "spec/template/spec"
FIRST = f"{POD}/containers/0"
LOCK = f"{FIRST}/securityContext"
SCALED = "ScaledObject waybill-processor"
TRIGGER = "spec/triggers/0/metadata"
SCALE_DOWN = "spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleDown"
BOTH, OF_GATEWAY, OF_PROCESSOR = "ConfigMap waybill", "ConfigMap waybill-gateway", "ConfigMap waybill-processor"
LABEL = "app.kubernetes.io~1name"
SAME_BUCKET = "s3://example-bundles?region=eu-central-1"

OF_SCHEMAS = {
    "a field of a core kind is misspelt": Break("schemas", "replica", (GATEWAY, "spec/replica"), 2),
    "a number is a text": Break("schemas", "minReadySeconds", (GATEWAY, "spec/minReadySeconds"), "5"),
    "a field of a CRD is misspelt": Break("schemas of CRDs", "maxReplicas", (SCALED, "spec/maxReplicas"), 5),
    "a deep field of a CRD is misspelt": Break(
        "schemas of CRDs", "stabilisation", (SCALED, f"{SCALE_DOWN}/stabilisation"), 1
    ),
    "a text of a CRD is a number": Break("schemas of CRDs", "streamLength", (SCALED, f"{TRIGGER}/streamLength"), 4),
    "a duration of the Gateway API is none": Break(
        "schemas of CRDs", "request", ("HTTPRoute waybill", "spec/rules/0/timeouts/request"), "0"
    ),
    "nobody knows the kind": Break("schemas of CRDs", "ScaledThing", (SCALED, "kind"), "ScaledThing"),
    "a field of a monitor is misspelt": Break(
        "schemas of CRDs", "every", ("PodMonitor waybill", "spec/podMetricsEndpoints/0/every"), "1s"
    ),
}
OF_PODS = {
    "root": Break("security", "runAsNonRoot", (GATEWAY, f"{POD}/securityContext/runAsNonRoot"), False),
    "user 0": Break("security", "runAsUser", (GATEWAY, f"{POD}/securityContext/runAsUser"), 0),
    "no seccomp": Break("security", "seccomp", (GATEWAY, f"{POD}/securityContext/seccompProfile")),
    "a token": Break("security", "automount", (GATEWAY, f"{POD}/automountServiceAccountToken")),
    "service links": Break("security", "enableServiceLinks", (PROCESSOR, f"{POD}/enableServiceLinks")),
    "the host's network": Break("security", "hostNetwork", (GATEWAY, f"{POD}/hostNetwork"), True),
    "escalation": Break("security", "Escalation", (GATEWAY, f"{LOCK}/allowPrivilegeEscalation"), True),
    "a writable root": Break("security", "readOnly", (PROCESSOR, f"{LOCK}/readOnlyRootFilesystem")),
    "a capability": Break("security", "capabilities", (GATEWAY, f"{LOCK}/capabilities/add"), ["NET_ADMIN"]),
    "a second container": Break("security", "waybill-admin", (ADMIN, f"{POD}/containers/1/securityContext")),
    "an image without a tag": Break(
        "security", "tag", (GATEWAY, f"{FIRST}/image"), "registry.example.org:5000/waybill"
    ),
    "the latest image": Break("security", "tag", (GATEWAY, f"{FIRST}/image"), "waybill-gateway:latest"),
    "a lax namespace": Break("security", "namespace", ("Namespace waybill", "metadata/labels")),
    "no limit of memory": Break("resources", "limit of memory", (GATEWAY, f"{FIRST}/resources/limits")),
    "a limit of CPU": Break("resources", "CPU", (GATEWAY, f"{FIRST}/resources/limits/cpu"), "1"),
    "too little for the viewers": Break(
        "resources", "waybill-gateway", (OF_GATEWAY, "data/WAYBILL_MAX_STREAMS"), "100000"
    ),
    "too little for the slots": Break("resources", "waybill-processor", (OF_PROCESSOR, "data/WAYBILL_SLOTS"), "16"),
    "a probe of no port": Break("probes", "port health", (GATEWAY, f"{FIRST}/livenessProbe/httpGet/port"), "health"),
    "a probe of the public port": Break(
        "probes", "admin port", (GATEWAY, f"{FIRST}/readinessProbe/httpGet/port"), "http"
    ),
    "liveness by Redis": Break("probes", "/readyz", (GATEWAY, f"{FIRST}/livenessProbe/httpGet/path"), "/readyz"),
    "gateways leave with Redis": Break(
        "probes", "/startedz", (GATEWAY, f"{FIRST}/readinessProbe/httpGet/path"), "/readyz"
    ),
    "no probe": Break("probes", "None", (PROCESSOR, f"{FIRST}/livenessProbe")),
    "killed in its drain": Break("ends", "killed after 190", (OF_PROCESSOR, "data/WAYBILL_STOP_GRACE_SECONDS"), "190"),
    "killed because preStop takes its share": Break(
        "ends", "killed after 60", (GATEWAY, f"{FIRST}/lifecycle/preStop/sleep/seconds"), 15
    ),
    "the default grace": Break("ends", "killed after 30", (GATEWAY, f"{POD}/terminationGracePeriodSeconds")),
    "no preStop": Break("ends", "no preStop", (GATEWAY, f"{FIRST}/lifecycle")),
    "a drain too short": Break("ends", "too short", (OF_GATEWAY, "data/WAYBILL_DRAIN_SECONDS"), "20"),
    "a drain too long": Break("ends", "aborted", (OF_GATEWAY, "data/WAYBILL_DRAIN_SECONDS"), "40"),
    "gateways go first": Break(
        "ends", "rolling update", (GATEWAY, "spec/strategy/rollingUpdate/maxUnavailable"), "25%"
    ),
    "no budget": Break("ends", "PodDisruptionBudget", ("PodDisruptionBudget waybill-gateway", "")),
}
OF_SETTINGS = {
    "tickets of another secret": Break(
        "settings", "tickets", ("Secret waybill-processor", "data/WAYBILL_TICKET_SECRETS"), "azE6eA=="
    ),
    "a setting that is none": Break("settings", "WAYBILL_SLOT is", (OF_PROCESSOR, "data/WAYBILL_SLOT"), "8"),
    "a setting of the other program": Break("settings", "WAYBILL_SLOTS is", (OF_GATEWAY, "data/WAYBILL_SLOTS"), "4"),
    "a wrong value": Break("settings", "WAYBILL_PARTITIONS", (BOTH, "data/WAYBILL_PARTITIONS"), "many"),
    "a contradiction": Break("settings", "must lie outside", (BOTH, "data/WAYBILL_SOURCES_URL"), SAME_BUCKET),
    "an admin port on loopback": Break("settings", "loopback", (BOTH, "data/WAYBILL_ADMIN_HOST")),
    "another port than the pod's": Break("settings", "ports", (OF_GATEWAY, "data/WAYBILL_PORT"), "8000"),
    "no authentication": Break("settings", "WAYBILL_AUTH", (OF_GATEWAY, "data/WAYBILL_AUTH"), "none"),
}
