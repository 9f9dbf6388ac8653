"""Two runs never share a home or a port."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from deploy.local.claims import claimed_home, in_use_message, refuse_taken_ports
from deploy.local.errors import LocalSetupError
from deploy.local.options import Options


def test_second_run_on_a_home_is_refused_with_the_holder(tmp_path: Path) -> None:
    with (
        claimed_home(tmp_path),
        pytest.raises(LocalSetupError, match=rf"in use by another run \(process {os.getpid()}\)"),
        claimed_home(tmp_path),
    ):
        pass


def test_home_can_be_claimed_again_after_its_run(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    with claimed_home(home):
        pass

    with claimed_home(home):
        assert (home / "lock").read_text() == f"{os.getpid()}\n"


def test_home_stays_claimed_while_a_child_keeps_the_lock_open(tmp_path: Path) -> None:
    with claimed_home(tmp_path) as lock_fd:
        child_fd = os.dup(lock_fd)
    (tmp_path / "lock").write_text("4194305\n")  # above the highest process id of Linux

    with pytest.raises(LocalSetupError, match="what is left of an earlier run"), claimed_home(tmp_path):
        pass

    os.close(child_fd)
    with claimed_home(tmp_path):
        pass


def test_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LocalSetupError, match="WAYBILL_HOME"), claimed_home(tmp_path / "file" / "home"):
        pass


def test_in_use_message_says_how_to_run_a_second_one() -> None:
    assert "WAYBILL_HOME=… PORT=… ADMIN_PORT=…" in in_use_message(Path("h"), "7", is_alive=True)


@contextmanager
def taken_port() -> Iterator[int]:
    """Listen on a port whose three neighbours (one below, two above) are free, and stay so for a while.

    Below the ephemeral ports, where every connection of every other program takes one at any moment.
    """
    for port in random.sample(range(20_000, 30_000), 200):
        with ExitStack() as bound:
            try:
                for neighbour in (port - 1, port, port + 1, port + 2):
                    bound.enter_context(socket.create_server(("127.0.0.1", neighbour)))
            except OSError:
                continue
        with socket.create_server(("127.0.0.1", port)):
            yield port
        return
    pytest.fail("no free ports below the ephemeral ones")


@pytest.mark.parametrize(("taken", "variable"), [(0, "PORT"), (1, "ADMIN_PORT"), (2, "ADMIN_PORT")])
def test_taken_port_is_refused_with_its_variable(taken: int, variable: str) -> None:
    with taken_port() as port:
        free = port + 1
        options = Options(
            Path("h"),
            port=port if taken == 0 else free,
            admin_port={0: free, 1: port, 2: port - 1}[taken],
            redis_url=None,
            copy_rate_bytes_per_second=None,
        )

        with pytest.raises(LocalSetupError, match=rf"Port {port} is already in use.*make run {variable}="):
            refuse_taken_ports(options)
