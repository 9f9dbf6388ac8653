"""Every overlay, and every component in an installation that has need of it, rendered once."""

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.deploy.k8s import network, pods, proxies, references, scaling, schemas
from tests.deploy.k8s.manifests import Installation
from tests.support.kustomize import ROOT, render

K8S = ROOT / "deploy/k8s"
OVERLAYS = ("dev", "prod")

Check = Callable[[Installation], Iterator[str]]

CHECKS: dict[str, Check] = {
    "schemas": schemas.core,
    "schemas of CRDs": schemas.custom,
    "security": pods.security,
    "resources": pods.resources,
    "probes": pods.probes,
    "ends": pods.ends,
    "settings": pods.settings,
    "selectors": references.selectors,
    "services": references.services,
    "names": references.names,
    "scrapes": references.scrapes,
    "owners of replicas": scaling.owners,
    "backlog": scaling.backlog,
    "redis of KEDA": scaling.redis,
    "streams": scaling.streams,
    "flows": network.flows,
    "patience": proxies.patience,
    "hosts": proxies.hosts,
}


class Composition(NamedTuple):
    """An installation of the base, the settings of prod, others behind them, and components."""

    components: tuple[str, ...]
    settings: str = ""


COMPOSITIONS = {
    "no autoscaler": Composition(("redis-ca",)),
    "hpa-only, ingress": Composition(("redis-ca", "hpa-only", "ingress")),
    "keda-scale-to-zero": Composition(("redis-ca", "keda", "keda-scale-to-zero")),
    "keda-sentinel": Composition(
        ("redis-ca", "keda-sentinel"),
        """
configMapGenerator:
  - name: waybill
    behavior: merge
    literals: ["REDIS_URL=rediss+sentinel://s1.example:26379,s2.example:26379/main/0?ca_file=/etc/waybill/redis/ca.crt"]
secretGenerator:
  - name: waybill-keda
    behavior: merge
    literals: [sentinel_username=keda, sentinel_password=EXAMPLE]
""",
    ),
    "keda-cluster": Composition(
        ("redis-ca", "keda-cluster"),
        """
configMapGenerator:
  - name: waybill
    behavior: merge
    literals: ["REDIS_URL=rediss+cluster://n1.example:6379,n2.example:6379/?ca_file=/etc/waybill/redis/ca.crt"]
""",
    ),
    "cloudflared": Composition(
        ("redis-ca", "cloudflared"),
        """
secretGenerator:
  - name: cloudflared
    literals: [TUNNEL_TOKEN=EXAMPLE]
""",
    ),
}
INSTALLATIONS = (*OVERLAYS, *COMPOSITIONS)


@functools.cache
def installation(name: str) -> Installation:
    """Give an overlay or a composition, rendered; not to be changed."""
    if name in OVERLAYS:
        return Installation.of_yaml(render(K8S / "overlays" / name))
    return composed(COMPOSITIONS[name])


def composed(composition: Composition) -> Installation:
    """Render a composition."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory).resolve()
        _compose(home, composition)
        return Installation.of_yaml(render(home))


def _compose(home: Path, composition: Composition) -> None:
    there = Path(os.path.relpath(K8S.resolve(), home)).as_posix()
    shutil.copy(K8S / "overlays/prod/namespace.yaml", home)
    listed = [f"{there}/overlays/prod/settings", *(f"{there}/components/{name}" for name in composition.components)]
    if composition.settings:
        (home / "more").mkdir()
        (home / "more/kustomization.yaml").write_text(
            f"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n{composition.settings}"
        )
        listed.insert(1, "more")
    (home / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: waybill\n"
        f"resources: [{there}/base, namespace.yaml]\n"
        "images: [{name: waybill-gateway, newTag: test}, {name: waybill-processor, newTag: test}]\n"
        + "".join(("components:\n", *(f"  - {path}\n" for path in listed)))
    )
