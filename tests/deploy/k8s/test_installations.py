"""Every overlay and every component of deploy/k8s: as Kubernetes wants them, and as the application is."""

import pytest

from tests.deploy.k8s.installations import CHECKS, COMPOSITIONS, INSTALLATIONS, K8S, installation


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", INSTALLATIONS)
def test_installation_holds(name: str, check: str) -> None:
    assert list(CHECKS[check](installation(name))) == []


def test_every_component_is_in_an_installation() -> None:
    said = " ".join((K8S / f"overlays/{name}/kustomization.yaml").read_text() for name in ("dev", "prod"))
    used = {name for composition in COMPOSITIONS.values() for name in composition.components}
    used |= {path.name for path in (K8S / "components").iterdir() if f"\n  - ../../components/{path.name}\n" in said}

    assert used == {path.name for path in (K8S / "components").iterdir()}
