"""What every accepted connection inherits, so that a peer who is gone without a word, or reads nothing, is noticed.

Such a silence cannot be made on loopback, where the kernel answers for whoever is gone; the options are what is tested.
"""

import socket
import sys
from typing import Any

import pytest

from gateway.edge.answer_times import AnswerTimes
from gateway.edge.edge import Edge
from gateway.edge.shell import Shell
from gateway.server import UNACKNOWLEDGED_MAX_MS, GatewayServer, bound_connections
from shared import limits
from shared.gateway_settings import GatewaySettings
from shared.listener import listen


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_USER_TIMEOUT is Linux' own")
def test_accepted_connections_end_half_open_peers_and_feel_slow_readers() -> None:
    with listen("127.0.0.1", 0, port_variable="WAYBILL_PORT") as listener:
        bound_connections(listener)
        listener.listen()  # as uvicorn does
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                keepalive = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                unacknowledged_ms = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                send_buffer_bytes = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)

    assert keepalive == 1
    assert unacknowledged_ms == UNACKNOWLEDGED_MAX_MS
    assert send_buffer_bytes <= 2 * limits.SOCKET_SEND_BUFFER_BYTES  # the kernel doubles it (socket(7))


def test_silent_connections_are_kept_for_longer_than_by_those_who_send_a_post_only_once() -> None:
    """nginx keeps connections to its upstreams for 60 s, and so do AWS' load balancers."""

    async def nothing(*_: Any) -> None: ...

    edge = Edge(GatewaySettings())
    shell = Shell(
        nothing, edge, count_refusal=lambda _: None, answer_times=AnswerTimes(lambda *_: None, lambda *_: None)
    )
    server = GatewayServer(shell, edge, drain_seconds=0, drain=nothing, count_refusal=lambda _: None)

    assert server.config.timeout_keep_alive > 60
