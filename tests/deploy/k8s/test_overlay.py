"""`make check-overlay`: what an operator is told of an overlay before it is applied, by real kustomize."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.overlay.keda import disagreements
from tests.deploy.k8s.installations import K8S, Composition, composed
from tests.support.kustomize import ROOT, find, render

OPTIONS = "?ca_file=/etc/waybill/redis/ca.crt"
OURS = {
    "EXAMPLE-of-random-text-of-32-characters-or-more": "a9Ql0vXw7cT2mJ4sB8nE6hK1zR3yU5dPfG",
    "whsec_EXAMPLEofBase64OfRandomBytes0123456789abcdef": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
    "EXAMPLE-change-me": "b7d1f3a9c5e2",
    "EXAMPLE: put the certificate": "-----BEGIN CERTIFICATE-----",
    "example.org": "acme.test",
    "redis.example.internal": "redis.acme.test",
    "example-originals": "acme-originals",
    "example-bundles": "acme-bundles",
    "123456789012": "210987654321",
}
"""What an operator puts in place of what is shipped."""


def told(rendered: str, *paths: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command on a rendered overlay, and files beside it."""
    command = [sys.executable, "-m", "deploy.overlay", *map(str, paths)]
    return subprocess.run(command, input=rendered, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def made_ours(home: Path, but: str = "") -> Path:
    """Copy deploy/k8s, and change all examples in prod, as an operator does, `but` one; returns the overlay.

    Components stay as they are: nobody should have to edit them.
    """
    shutil.copytree(K8S, home / "k8s")
    for path in (home / "k8s" / "overlays" / "prod").rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        for shipped, own in OURS.items():
            text = text if shipped == but else text.replace(shipped, own)
        path.write_text(text, encoding="utf-8")
    return home / "k8s" / "overlays" / "prod"


def test_an_overlay_in_which_everything_is_ones_own_is_in_order(tmp_path: Path) -> None:
    acl = tmp_path / "users.acl"
    acl.write_text((ROOT / "deploy/redis/users.acl").read_text(encoding="utf-8").replace("EXAMPLE-change-me", "b7d1"))

    done = told(render(made_ours(tmp_path)), acl)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"and {acl}: nothing was found.\n")


@pytest.mark.parametrize("left", OURS)
def test_one_example_that_is_left_is_found(tmp_path: Path, left: str) -> None:
    done = told(render(made_ours(tmp_path, but=left)))

    assert done.returncode == 1, done.stdout + done.stderr
    assert "as it was shipped" in done.stdout


def test_hosts_of_another_way_in_are_those_of_the_overlay_too(tmp_path: Path) -> None:
    overlay = made_ours(tmp_path) / "kustomization.yaml"
    overlay.write_text(overlay.read_text(encoding="utf-8").replace("components/gateway-api", "components/ingress"))

    rendered = render(overlay.parent)

    assert "kind: Ingress\n" in rendered
    assert told(rendered).returncode == 0


def test_redis_users_as_they_are_shipped_are_found(tmp_path: Path) -> None:
    done = told(render(made_ours(tmp_path)), ROOT / "deploy/redis/users.acl")

    assert done.returncode == 1
    assert "users.acl, line 4: EXAMPLE-change-me-keda is as it was shipped" in done.stdout


@pytest.mark.parametrize(
    ("rendered", "paths"), [("", []), ("a: [", []), ("kind: ConfigMap\nmetadata: {name: x}", [Path("/nowhere")])]
)
def test_what_cannot_be_read_is_no_overlay_in_order(rendered: str, paths: list[Path]) -> None:
    done = told(rendered, *paths)

    assert done.returncode == 2
    assert done.stderr.startswith("waybill: ")
    assert not done.stdout


def test_make_runs_it_on_the_overlay_that_is_named() -> None:
    found = find()
    if found is None or "kubectl" not in found.command[0]:
        pytest.skip("make check-overlay takes kubectl, as operators do")

    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "check-overlay", "OVERLAY=deploy/k8s/overlays/prod", "FILES=deploy/redis/users.acl"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)

    assert done.returncode == 2  # make's own, of a recipe that failed
    assert "Secret waybill-keda" in done.stdout
    assert "users.acl, line 5" in done.stdout


WELL = {
    "keda": (f"rediss://redis.acme.test:6380/0{OPTIONS}", f"rediss://[2001:db8::1]:6379/{OPTIONS}"),
    "keda-sentinel": (f"rediss+sentinel://s1.acme.test:26379,s2.acme.test:26379/main/0{OPTIONS}",),
    "keda-cluster": (f"rediss+cluster://n1.acme.test:6379,n2.acme.test:6379/{OPTIONS}",),
}
ODD = (
    ("keda", "no port", f"rediss://redis.acme.test/0{OPTIONS}", "another Redis"),
    ("keda", "no slash", f"rediss://redis.acme.test:6379{OPTIONS}", "another Redis"),
    ("keda", "a database", f"rediss://redis.acme.test:6379/2{OPTIONS}", "another database than REDIS_URL's 2"),
    ("keda", "a password", f"rediss://keda:s3cret@redis.acme.test:6379/0{OPTIONS}", "has a password"),
    ("keda", "Sentinels", f"rediss+sentinel://s1.acme.test:26379/main/0{OPTIONS}", "wants redis-sentinel-streams"),
    ("keda", "a cluster", f"rediss+cluster://n1.acme.test:6379/{OPTIONS}", "wants redis-cluster-streams"),
    ("keda-sentinel", "no port", f"rediss+sentinel://s1.acme.test,s2.acme.test/main/0{OPTIONS}", "another Redis"),
    ("keda-sentinel", "no database", f"rediss+sentinel://s1.acme.test:26379/main{OPTIONS}", "another master"),
    ("keda-sentinel", "a database", f"rediss+sentinel://s1.acme.test:26379/main/3{OPTIONS}", "another database"),
    ("keda-sentinel", "one server", f"rediss://redis.acme.test:6379/0{OPTIONS}", "wants redis-streams"),
    ("keda-cluster", "no port", f"rediss+cluster://n1.acme.test,n2.acme.test/{OPTIONS}", "another Redis"),
    ("keda-cluster", "no slash", f"rediss+cluster://n1.acme.test:6379{OPTIONS}", "another Redis"),
)


def with_url(component: str, url: str) -> list[str]:
    """Let kustomize cut a REDIS_URL up, and say what is found."""
    settings = (
        f'configMapGenerator:\n  - name: waybill\n    behavior: merge\n    literals: ["REDIS_URL={url}"]\n'
        "secretGenerator:\n  - name: waybill-keda\n    behavior: merge\n"
        "    literals: [sentinel_username=keda, sentinel_password=x]\n"
    )
    return list(disagreements(composed(Composition(("redis-ca", component), settings)).manifests))


@pytest.mark.parametrize(("component", "url"), [(component, url) for component, urls in WELL.items() for url in urls])
def test_a_redis_url_of_the_right_form_reaches_keda(component: str, url: str) -> None:
    assert with_url(component, url) == []


@pytest.mark.parametrize(
    ("component", "url", "named"),
    [(component, url, named) for component, _, url, named in ODD],
    ids=[f"{component}: {what}" for component, what, _, _ in ODD],
)
def test_a_redis_url_that_kustomize_cuts_up_wrongly_is_named(component: str, url: str, named: str) -> None:
    found = with_url(component, url)

    assert any(named in finding for finding in found), found
    assert "s3cret" not in "".join(found)
