"""What docs/kubernetes.md says to put into an overlay: it renders with prod, and lets through what it is for."""

import functools
import os
import re
import tempfile
from pathlib import Path

import pytest

from tests.deploy.k8s.installations import CHECKS, K8S, installation
from tests.deploy.k8s.manifests import Installation
from tests.deploy.k8s.network import PRIVATE, Flow, Peer, allowed
from tests.support.kustomize import ROOT, render

YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@functools.cache
def patched(shown: str = "", own: str = "") -> Installation:
    """Render prod with every patch and every file of the page, `own` in place of what is `shown`; not to be changed."""
    patches, solver = YAML.findall((ROOT / "docs/kubernetes.md").read_text(encoding="utf-8"))
    patches = patches.replace(shown, own) if shown else patches
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory).resolve()
        prod = Path(os.path.relpath((K8S / "overlays/prod").resolve(), home)).as_posix()
        (home / "solver.yaml").write_text(solver)
        (home / "kustomization.yaml").write_text(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: waybill\n"
            f"resources: [{prod}, solver.yaml]\n{patches}"
        )
        return Installation.of_yaml(render(home))


@pytest.mark.parametrize("check", sorted(CHECKS.keys() - {"selectors"}))
def test_a_patched_overlay_is_still_right(check: str) -> None:
    # Without selectors: the pod that the solver's policy selects is cert-manager's, and there for a minute.
    assert list(CHECKS[check](patched())) == []


@pytest.mark.parametrize("component", ["gateway", "processor"])
@pytest.mark.parametrize(
    ("namespace", "port"), [(None, 6380), ("redis", 6379), ("redis", 6380), ("minio", 9000), ("observability", 4318)]
)
def test_what_a_patch_is_for_goes_through_with_it_and_not_without(
    component: str, namespace: str | None, port: int
) -> None:
    [pod], [unpatched] = patched().pods_of(component), installation("prod").pods_of(component)
    end = Peer("Redis", address=PRIVATE) if namespace is None else Peer(namespace, namespace=namespace)

    assert not allowed(installation("prod"), Flow(Peer(component, pod=unpatched), end, port))
    assert allowed(patched(), Flow(Peer(component, pod=pod), end, port))


def test_prometheus_of_the_stack_finds_what_it_selects_by() -> None:
    found = patched().of("PodMonitor", "PrometheusRule")

    assert [manifest["metadata"]["labels"]["release"] for manifest in found] == ["kube-prometheus-stack"] * 2


@pytest.mark.parametrize(
    ("shown", "own", "changed"),
    [
        ("value: envoy-gateway-system", "value: edge", ("NetworkPolicy", "callers")),
        ("value: monitoring", "value: metrics", ("NetworkPolicy", "scrapers")),
        ("prometheus-operated.monitoring.svc", "prometheus.metrics.svc", ("ScaledObject", "waybill-gateway")),
    ],
)
def test_a_name_of_ones_own_cluster_takes_the_place_of_ours(shown: str, own: str, changed: tuple[str, str]) -> None:
    before, after = (str(each.get(*changed)) for each in (patched(), patched(shown, own)))

    assert before != after
    assert before.replace(shown.removeprefix("value: "), own.removeprefix("value: ")) == after
