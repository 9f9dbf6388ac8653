"""Kubernetes' own kinds by their strict schemas, the others by the schemas of their CRDs, in which no field is unknown.

What a CRD says in CEL (x-kubernetes-validations) is not looked at.
"""

import copy
import functools
import os
from collections.abc import Iterable, Iterator
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


def core(installation: Installation) -> Iterator[str]:
    """Hold every manifest of Kubernetes' own kinds against its schema, in the oldest and the newest Kubernetes."""
    for manifest in filter(_is_core, installation.manifests):
        for version in (OLDEST_KUBERNETES, kubernetes_validate.latest_version()):
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except ValidationError as wrong:
                yield f"{_place(manifest, wrong.absolute_path)}: {wrong.message} (Kubernetes {version})"


def custom(installation: Installation) -> Iterator[str]:
    """Hold every manifest of another kind against the schema of its CRD."""
    for manifest in installation.manifests:
        if _is_core(manifest):
            continue
        group, _, version = manifest["apiVersion"].partition("/")
        schema = custom_schemas().get((group, version, manifest["kind"]))
        if schema is None:
            yield f"nobody knows the kind {manifest['kind']} of {manifest['apiVersion']}"
            continue
        for wrong in Draft202012Validator(schema).iter_errors(manifest):
            yield f"{_place(manifest, wrong.absolute_path)}: {wrong.message}"


def _is_core(manifest: Manifest) -> bool:
    try:
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version())
    except SchemaNotFoundError:
        return False
    except ValidationError:
        return True
    return True


def _place(manifest: Manifest, path: Iterable[str | int]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}: {'.'.join(map(str, path))}"


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
