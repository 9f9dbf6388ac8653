"""A Waybill whose jobs run until the end of the session, and the two kinds of nginx before it."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.holding_handler import LET_GO
from tests.support.nginx import BareNginx, Nginx, ShippedNginx
from tests.support.system import System


class Front(NamedTuple):
    """A proxy before Waybill, and the options with which curl speaks to it."""

    nginx: Nginx
    options: tuple[str, ...]


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two gateways, and a processor that holds every job and reports about once a second."""
    home = tmp_path_factory.mktemp("held")
    holding = {"WAYBILL_HANDLER": "tests.support.holding_handler:handle", LET_GO: str(home / "never")}
    with System(home, gateways=2, settings=holding | {"WAYBILL_SLOTS": "64"}) as running:
        yield running


@pytest.fixture(scope="session")
def bare(held: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareNginx]:
    """An nginx with its own defaults before one of the gateways."""
    with BareNginx(tmp_path_factory.mktemp("bare-nginx"), held.url) as nginx:
        yield nginx


@pytest.fixture(scope="session")
def shipped(held: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedNginx]:
    """The nginx that we ship before both gateways."""
    home = tmp_path_factory.mktemp("shipped-nginx")
    with ShippedNginx(home, [gateway.url.removeprefix("http://") for gateway in held.gateways]) as nginx:
        yield nginx


@pytest.fixture(params=["bare", "shipped-http1", "shipped-http2"])
def front(request: pytest.FixtureRequest) -> Front:
    """Each way to reach Waybill through nginx."""
    kind, _, version = request.param.partition("-")
    if kind == "bare":
        return Front(request.getfixturevalue("bare"), ())
    shipped: ShippedNginx = request.getfixturevalue("shipped")
    return Front(shipped, ("--cacert", str(shipped.ca_file), "--http2" if version == "http2" else "--http1.1"))
