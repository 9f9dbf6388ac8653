"""A rendered installation, and how to find one's way in it."""

import base64
import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

Manifest = dict[str, Any]

_GENERATED = re.compile(r"-[a-z0-9]{10}$")
WORKLOADS = ("Deployment", "StatefulSet", "Job")


class Pod(NamedTuple):
    """What a workload makes its pods of."""

    owner: Manifest
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the workload."""
        return name_of(self.owner)

    @property
    def component(self) -> str:
        """What it is in the installation: gateway, processor, redis …"""
        return self.labels.get("app.kubernetes.io/component", "")

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All of them, those that run first included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """The ports that it names."""
        return {
            port["name"]: port["containerPort"] for container in self.containers for port in container.get("ports", [])
        }

    def port(self, port: int | str) -> int | None:
        """Give the number of a port that is named or numbered; None for a name that it does not have."""
        return port if isinstance(port, int) else self.ports.get(port)


class Installation:
    """The manifests of one overlay."""

    def __init__(self, manifests: list[Manifest]) -> None:
        self.manifests = manifests

    @classmethod
    def of_yaml(cls, text: str) -> "Installation":
        """Read what kustomize wrote."""
        return cls([manifest for manifest in yaml.safe_load_all(text) if manifest])

    def copy(self) -> "Installation":
        """Give one that may be broken."""
        return Installation(copy.deepcopy(self.manifests))

    def of(self, *kinds: str) -> list[Manifest]:
        """Give all of these kinds."""
        return [manifest for manifest in self.manifests if manifest["kind"] in kinds]

    def named(self, kind: str, name: str) -> Manifest | None:
        """Give one by the name that it has in a cluster."""
        return next((manifest for manifest in self.of(kind) if manifest["metadata"]["name"] == name), None)

    def find(self, kind: str, name: str) -> Manifest | None:
        """Give one by the name that it has in its files, without the hash of a generator."""
        return next((manifest for manifest in self.of(kind) if name_of(manifest) == name), None)

    def get(self, kind: str, name: str) -> Manifest:
        """Give one that is there, by the name that it has in its files."""
        found = self.find(kind, name)
        assert found is not None, f"there is no {kind} {name}"
        return found

    @property
    def pods(self) -> list[Pod]:
        """What runs in it."""
        return [
            Pod(
                owner,
                owner["spec"]["template"]["metadata"].get("labels", {}),
                owner["spec"]["template"]["spec"],
            )
            for owner in self.of(*WORKLOADS)
        ]

    def pods_of(self, component: str) -> list[Pod]:
        """Give the pods of a component: gateway, processor, redis …"""
        return [pod for pod in self.pods if pod.component == component]

    def environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        """Give the environment of a container, as far as it is known here."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            for reference, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if reference in source and (manifest := self.named(kind, source[reference]["name"])):
                    found |= texts_of(manifest)
        found |= {variable["name"]: variable["value"] for variable in container.get("env", []) if "value" in variable}
        return found

    def environment_of(self, component: str) -> dict[str, str]:
        """Give the environment of a program of ours."""
        [pod] = self.pods_of(component)
        return self.environment(pod.spec["containers"][0])


def name_of(manifest: Manifest) -> str:
    """Give a manifest's name without the hash of a generator."""
    name: str = manifest["metadata"]["name"]
    return _GENERATED.sub("", name) if manifest["kind"] in ("ConfigMap", "Secret") else name


def texts_of(manifest: Manifest) -> dict[str, str]:
    """Read what a ConfigMap or a Secret holds."""
    values: dict[str, str] = manifest.get("data", {})
    if manifest["kind"] == "Secret":
        return {key: base64.b64decode(text).decode() for key, text in values.items()}
    return dict(values)


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector selects these labels; none selects nothing, an empty one everything."""
    if selector is None:
        return False
    plain = selector.get("matchLabels", {})
    return all(labels.get(key) == text for key, text in plain.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert expression["operator"] == "In", "nothing else is used"
    return labels.get(expression["key"]) in expression["values"]


def everything_in(value: object) -> Iterator[dict[str, Any]]:
    """Give every mapping within a value, itself included."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from everything_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from everything_in(inner)
