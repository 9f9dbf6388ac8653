"""Kubernetes' own kinds by their strict schemas, the others by the schemas of their CRDs, in which no field is unknown.

What a CRD says in CEL (x-kubernetes-validations) is not looked at.
"""

import copy
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import SchemaNotFoundError, ValidationError

from tests.deploy.k8s.manifests import Installation, Manifest, everything_in
from tests.support.kustomize import ROOT
from tests.support.tools import missing

OLDEST_KUBERNETES = "1.30"
"""preStop.sleep is there from it on."""


def against_the_schemas(installation: Installation) -> Iterator[str]:
    """Hold every manifest against the schema of its kind, in the oldest and the newest Kubernetes."""
    for manifest in installation.manifests:
        where = f"{manifest['kind']} {manifest['metadata']['name']}"
        for version in (OLDEST_KUBERNETES, kubernetes_validate.latest_version()):
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except SchemaNotFoundError:
                yield from (f"{where}: {finding}" for finding in _against_its_crd(manifest))
                break
            except ValidationError as wrong:
                path = ".".join(map(str, wrong.absolute_path))
                yield f"{where}: {path}: {wrong.message} (Kubernetes {version})"


def _against_its_crd(manifest: Manifest) -> Iterator[str]:
    group, _, version = manifest["apiVersion"].partition("/")
    schema = custom_schemas().get((group, version, manifest["kind"]))
    if schema is None:
        yield f"nobody knows the kind {manifest['kind']} of {manifest['apiVersion']}"
        return
    for wrong in Draft202012Validator(schema).iter_errors(manifest):
        yield f"{'.'.join(map(str, wrong.absolute_path))}: {wrong.message}"


@functools.cache
def custom_schemas() -> dict[tuple[str, str, str], dict[str, Any]]:
    """Read the CRDs: group, version and kind to schema. Without them the test is skipped, or fails in CI."""
    directory = Path(os.environ.get("WAYBILL_CRDS") or ROOT / "../shared/crds")
    files = sorted(directory.glob("*.yaml"))
    if not files:
        reason = f"no CRDs in {directory}; WAYBILL_CRDS names another directory"
        if os.environ.get("CI"):
            pytest.fail(reason)
        missing(reason)
    found = {}
    for file in files:
        for crd in filter(None, yaml.safe_load_all(file.read_text(encoding="utf-8"))):
            spec = crd["spec"]
            for version in spec["versions"]:
                key = (spec["group"], version["name"], spec["names"]["kind"])
                found[key] = _closed(version["schema"]["openAPIV3Schema"])
    return found


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Give a schema in which every field that is not named is wrong, as for kubectl with --validate=strict."""
    closed = copy.deepcopy(schema)
    closed["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    for part in everything_in(closed):
        names_fields = isinstance(part.get("properties"), dict) and part.get("type") == "object"
        if names_fields and not part.get("x-kubernetes-preserve-unknown-fields"):
            part.setdefault("additionalProperties", False)
        if part.get("nullable") and isinstance(part.get("type"), str):
            part["type"] = [part["type"], "null"]
    return closed
