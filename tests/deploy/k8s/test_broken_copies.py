"""Each check of deploy/k8s fails on a copy in which what it is for is broken, and says what."""

import pytest

from tests.deploy.k8s import breaks_of_pods as pods
from tests.deploy.k8s import breaks_of_surroundings as surroundings
from tests.deploy.k8s.breaks import Break
from tests.deploy.k8s.installations import CHECKS, installation

BREAKS = {
    **pods.OF_SCHEMAS,
    **pods.OF_PODS,
    **pods.OF_SETTINGS,
    **surroundings.OF_REFERENCES,
    **surroundings.OF_SCALING,
    **surroundings.OF_FLOWS,
    **surroundings.OF_WAYS_IN,
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_what_is_broken_is_found(broken: Break) -> None:
    copy = installation(broken.at).copy()

    broken.do(copy)

    found = list(CHECKS[broken.check](copy))
    assert any(broken.named in finding for finding in found), found or "nobody noticed"


def test_every_check_is_seen_to_fail() -> None:
    assert {broken.check for broken in BREAKS.values()} == set(CHECKS)
