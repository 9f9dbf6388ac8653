"""A rendered overlay as values: its manifests, the texts in them, and the environment of its programs. Pure."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

Manifest = dict[str, Any]


def read_manifests(rendered: str) -> list[Manifest]:
    """Read what kustomize wrote; raises yaml.YAMLError for anything that is no YAML."""
    return [manifest for manifest in yaml.safe_load_all(rendered) if isinstance(manifest, dict)]


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Give those of a kind."""
    return [manifest for manifest in manifests if manifest.get("kind") == kind]


def title_of(manifest: Manifest) -> str:
    """Name a manifest as `kubectl` does in its answers, by kind and name."""
    return f"{manifest.get('kind')} {manifest.get('metadata', {}).get('name')}"


def data_of(manifest: Manifest) -> dict[str, str]:
    """Give what a ConfigMap or a Secret holds, decoded."""
    plain = {**(manifest.get("data") or {}), **(manifest.get("stringData") or {})}
    if manifest.get("kind") != "Secret":
        return plain
    return plain | {key: _decoded(text) for key, text in (manifest.get("data") or {}).items()}


def texts_in(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Give every text in a manifest, and where it stands: `spec.rules.0.host`, of a Secret its decoded keys."""
    if manifest.get("kind") == "Secret":
        manifest = {**manifest, "data": data_of(manifest), "stringData": None}
    yield from _texts(manifest, "")


class Environment(NamedTuple):
    """What a program is given; `is_whole` when all of it is in the overlay, and no store of secrets brings the rest."""

    variables: dict[str, str]
    is_whole: bool


def environment_of(manifests: list[Manifest], deployment: str) -> Environment:
    """Give the environment of a Deployment's first container; of one that is not there an empty one, not whole."""
    found = [each for each in of_kind(manifests, "Deployment") if each["metadata"]["name"] == deployment]
    if not found:
        return Environment({}, is_whole=False)
    container = found[0]["spec"]["template"]["spec"]["containers"][0]
    sources = [_named_by(manifests, source) for source in container.get("envFrom") or []]
    variables: dict[str, str] = {}
    for source in sources:
        variables |= source or {}
    own = container.get("env") or []
    variables |= {each["name"]: each["value"] for each in own if "value" in each}
    return Environment(variables, None not in sources and all("value" in each for each in own))


def _named_by(manifests: list[Manifest], source: dict[str, Any]) -> dict[str, str] | None:
    for reference, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        for manifest in of_kind(manifests, kind):
            if source.get(reference, {}).get("name") == manifest["metadata"]["name"]:
                return data_of(manifest)
    return None


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode(errors="replace")
    except (binascii.Error, ValueError):
        return text


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place.removeprefix("."), value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{place}.{number}")
