"""Ports for servers that must be told one before they start."""

import os
import random
import socket

LOWEST, HIGHEST = 20_000, 32_000
"""Below the range from which the kernel takes the near end of outgoing connections, which would collide at random."""
LANES = 12
"""Each process of a run draws from a part of its own: between a draw and its server's start lie seconds."""

_drawn: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Give that many different ports on 127.0.0.1 that nobody listens on, none of them drawn here before."""
    found: list[int] = []
    lane = _lane()
    for port in random.SystemRandom().sample(lane, k=len(lane)):
        if port in _drawn:
            continue
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        found.append(port)
        if len(found) == count:
            _drawn.update(found)
            return found
    if not _drawn:
        raise AssertionError("no free ports are left")
    _drawn.clear()
    return free_ports(count)


def _lane() -> range:
    # pytest-xdist names its processes gw0, gw1, …
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % LANES
    width = (HIGHEST - LOWEST) // LANES
    return range(LOWEST + number * width, LOWEST + (number + 1) * width)
