"""What is found in the texts of an overlay, and what is left alone."""

import base64

import pytest

from deploy.overlay.keda import disagreements
from deploy.overlay.left_in_place import left_in_file, left_in_manifests
from deploy.overlay.manifests import Manifest, environment_of, read_manifests
from deploy.overlay.programs import refusals


def config(text: str) -> list[Manifest]:
    return [{"kind": "ConfigMap", "metadata": {"name": "waybill"}, "data": {"KEY": text}}]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("EXAMPLE-change-me-keda", "EXAMPLE-change-me-keda"),
        ("whsec_EXAMPLEofBase64", "EXAMPLE"),
        ("change-me", "change-me"),
        ("https://waybill.example.org/v1", "waybill.example.org"),
        ("rediss://redis.example.internal:6379/0", "redis.example.internal"),
        ("s1.example:26379", "s1.example"),
        ("s3://example-bundles?region=eu-central-1", "example-bundles"),
        ("arn:aws:iam::123456789012:role/waybill-gateway", "123456789012"),
        ("of REDIS_URL", "of REDIS_URL"),
    ],
)
def test_what_is_shipped_is_found_and_nothing_around_it_is_quoted(text: str, named: str) -> None:
    assert list(left_in_manifests(config(f"s3cret {text} s3cret"))) == [
        f"ConfigMap waybill, data.KEY: {named} is as it was shipped"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "rediss://redis.acme.internal:6379/0",
        "https://my-example.com/",
        "s3://acme-example-bundles-2",
        "downloads.examples.org",
        "example.company.net",
        "arn:aws:iam::1234567890123:role/x",
        "an example of it",
    ],
)
def test_what_is_somebodys_own_is_left_alone(text: str) -> None:
    assert list(left_in_manifests(config(text))) == []


def test_secrets_are_looked_into_decoded() -> None:
    held = base64.b64encode(b"EXAMPLE-change-me-keda").decode()
    secret = {"kind": "Secret", "metadata": {"name": "waybill-keda"}, "data": {"password": held}}
    unreadable = {
        "kind": "Secret",
        "metadata": {"name": "certificate"},
        "data": {"key": "/w==", "not": "base64 change-me"},
    }

    assert list(left_in_manifests([secret, unreadable])) == [
        "Secret waybill-keda, data.password: EXAMPLE-change-me-keda is as it was shipped",
        "Secret certificate, data.not: change-me is as it was shipped",
    ]


def test_of_a_file_each_line_is_named_and_comments_are_not() -> None:
    text = "# change-me is what to look for\nuser keda on >EXAMPLE-change-me-keda +xlen\nuser admin on #0f3a\n"

    assert list(left_in_file("users.acl", text)) == ["users.acl, line 2: EXAMPLE-change-me-keda is as it was shipped"]


PROCESSOR = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: waybill-processor}
spec:
  template:
    spec:
      containers:
        - name: processor
          envFrom: [{configMapRef: {name: waybill}}, {secretRef: {name: from-a-store}}]
---
kind: ConfigMap
metadata: {name: waybill}
data: {REDIS_URL: "redis://redis:6379/0", WAYBILL_SLOT: "4"}
"""


def test_a_program_whose_secrets_come_from_a_store_is_not_judged() -> None:
    here = read_manifests(PROCESSOR)
    arrived = here + [{"kind": "Secret", "metadata": {"name": "from-a-store"}, "data": {}}]

    assert not environment_of(here, "waybill-processor").is_whole
    assert list(refusals(here)) == []
    assert "processor: WAYBILL_SLOT is no setting of it" in list(refusals(arrived))


@pytest.mark.parametrize(
    ("variable", "is_told"),
    [
        ("WAYBILL_SLOT", True),
        ("WAYBILL_PORT", True),  # the gateway's, in the processor's environment
        ("REDIS_HOST", True),
        ("WAYBIL_SLOTS", True),
        ("RDIS_URL", True),
        ("TZ", False),
        ("SSL_CERT_FILE", False),
        ("AWS_REGION", False),
        ("OTEL_RESOURCE_ATTRIBUTES", False),
    ],
)
def test_a_variable_that_is_not_read_is_told_if_it_looks_like_ours(variable: str, is_told: bool) -> None:
    config = PROCESSOR.replace(", {secretRef: {name: from-a-store}}", "").replace("WAYBILL_SLOT", variable)

    told = list(refusals(read_manifests(config)))

    assert (f"processor: {variable} is no setting of it" in told) == is_told


SCALED = """
kind: ScaledObject
metadata: {name: waybill-processor}
spec:
  scaleTargetRef: {name: waybill-processor}
  triggers:
    - {type: redis-streams, metadata: {address: "redis:6380"}, authenticationRef: {name: waybill-redis}}
"""


def test_keda_is_held_against_redis_url_also_while_its_secret_is_in_a_store() -> None:
    [found] = disagreements(read_manifests(f"{PROCESSOR}---{SCALED}"))

    assert "asks another Redis than redis:6379" in found
    assert list(disagreements(read_manifests(PROCESSOR))) == []


def test_a_redis_url_that_is_nowhere_in_the_overlay_is_told() -> None:
    [found] = disagreements(read_manifests(SCALED))

    assert "nothing here gives it REDIS_URL" in found


WITHOUT_SECRET = """
kind: TriggerAuthentication
metadata: {name: %s}
spec: {podIdentity: {provider: aws}}
"""
BEARER = """
kind: TriggerAuthentication
metadata: {name: prometheus}
spec: {secretTargetRef: [{parameter: bearerToken, name: prometheus, key: token}]}
---
kind: Secret
metadata: {name: prometheus}
stringData: {token: acme}
"""
ASKING_RIGHT = SCALED.replace("6380", "6379")


@pytest.mark.parametrize("other", [WITHOUT_SECRET % "cloud", BEARER], ids=["of a cloud", "of Prometheus"])
def test_what_authenticates_triggers_of_others_is_not_held_against_redis(other: str) -> None:
    assert list(disagreements(read_manifests(f"{PROCESSOR}---{ASKING_RIGHT}---{other}"))) == []


def test_a_redis_trigger_whose_authentication_names_no_secret_is_told_that_it_has_no_user() -> None:
    [found] = disagreements(read_manifests(f"{PROCESSOR}---{ASKING_RIGHT}---{WITHOUT_SECRET % 'waybill-redis'}"))

    assert found.startswith("TriggerAuthentication waybill-redis: comes to Redis as None")
