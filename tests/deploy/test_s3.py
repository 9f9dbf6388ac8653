"""deploy/s3: what Amazon is told agrees with what the application does and asks for."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.validate import ParamValidator

from shared import limits
from shared.gateway_settings import GatewaySettings
from tests.support.kustomize import ROOT
from tests.support.s3_server import S3Server, require_s3_server, running_server

Rules = dict[str, Any]
DAY_SECONDS = 86_400
STRAY_AFTER_SECONDS = limits.ORPHAN_AGE_MS / 1_000 + limits.CLOCKS_DIFFER_MS / 1_000


def read(name: str) -> Rules:
    """Read a file of deploy/s3."""
    rules: Rules = json.loads((ROOT / "deploy/s3" / f"{name}.json").read_text(encoding="utf-8"))
    return rules


def rights(policy: Rules) -> set[tuple[str, str]]:
    """Give what is allowed: action, and whether on a bucket or on its objects, of which store."""
    found = set()
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        places = statement["Resource"]
        for place in [places] if isinstance(places, str) else places:
            store = re.fullmatch(r"arn:aws:s3:::example-(originals|bundles)(/\*)?", place)
            assert store, place
            found |= {(action, store[1] + (store[2] or "")) for action in statement["Action"]}
    return found


def documented(store: str, shown: str) -> set[tuple[str, str]]:
    """Read the rights of docs/object-store.md."""
    text = (ROOT / "docs/object-store.md").read_text(encoding="utf-8")
    [row] = [line for line in text.splitlines() if line.startswith(f"| {store} | `s3:")]
    on_bucket, on_objects = row.split("on the bucket")
    return {(action, shown) for action in re.findall(r"`(s3:\w+)`", on_bucket)} | {
        (action, f"{shown}/*") for action in re.findall(r"`(s3:\w+)`", on_objects)
    }


def late_enough(lifecycle: Rules) -> Iterator[str]:
    """Say which rule takes away what Waybill still keeps."""
    keep_seconds = GatewaySettings().keep_seconds
    for rule in lifecycle["Rules"]:
        aborts = rule.get("AbortIncompleteMultipartUpload")
        if aborts and aborts["DaysAfterInitiation"] * DAY_SECONDS <= limits.ORPHAN_AGE_MS / 1_000:
            yield f"{rule['ID']} aborts uploads that may be going on"
        expires = rule.get("Expiration")
        if expires and rule["Filter"]["Prefix"] != "bundles/":
            yield f"{rule['ID']} deletes more than bundles"
        if expires and expires["Days"] * DAY_SECONDS <= STRAY_AFTER_SECONDS + keep_seconds:
            yield f"{rule['ID']} deletes archives before Waybill would"


def test_processors_have_the_rights_of_the_documentation_and_no_others() -> None:
    assert rights(read("processor-policy")) == documented("sources", "originals") | documented("archives", "bundles")


def test_gateways_write_nothing() -> None:
    assert {action for action, _ in rights(read("gateway-policy"))} == {
        "s3:ListBucket",
        "s3:GetObject",
        "s3:DeleteObject",
    }
    assert ("s3:DeleteObject", "originals/*") not in rights(read("gateway-policy"))


def test_the_role_is_taken_by_the_account_of_the_processors() -> None:
    [statement] = read("trust-policy")["Statement"]

    subjects = [text for key, text in statement["Condition"]["StringEquals"].items() if key.endswith(":sub")]
    assert subjects == ["system:serviceaccount:waybill:waybill-processor"]


def test_amazon_clears_up_later_than_we_do() -> None:
    assert list(late_enough(read("lifecycle"))) == []


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}, "going on"),
        ({"Expiration": {"Days": 9}}, "before"),
        ({"Expiration": {"Days": 10}, "Filter": {"Prefix": ""}}, "more than bundles"),
    ],
)
def test_a_rule_that_comes_too_early_is_seen(rule: Rules, named: str) -> None:
    lifecycle = copy.deepcopy(read("lifecycle"))
    lifecycle["Rules"][0 if "AbortIncompleteMultipartUpload" in rule else 1].update(rule)

    [found] = late_enough(lifecycle)

    assert named in found


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """A real S3 server."""
    with running_server(require_s3_server()) as running:
        yield running


def test_cors_is_taken_by_a_server_and_exposes_what_pages_need(server: S3Server) -> None:
    rules = read("cors")
    bucket = server.new_bucket()

    server.client.put_bucket_cors(Bucket=bucket, CORSConfiguration=rules)  # type: ignore[arg-type]

    [kept] = server.client.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert {"Content-Disposition", "Content-Length", "Content-Range", "ETag"} <= set(kept["ExposeHeaders"])
    assert set(kept["AllowedMethods"]) == {"GET", "HEAD"}


def test_lifecycle_is_a_configuration_of_amazon(server: S3Server) -> None:
    shape = server.client.meta.service_model.operation_model("PutBucketLifecycleConfiguration").input_shape
    assert shape is not None

    report = ParamValidator().validate({"Bucket": "b", "LifecycleConfiguration": read("lifecycle")}, shape)

    assert not report.has_errors(), report.generate_report()
