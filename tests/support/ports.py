"""Ports for servers that must be told one before they start."""

import random
import socket

LOWEST, HIGHEST = 20_000, 32_000
"""Below the range from which the kernel takes the near end of outgoing connections, which would collide at random."""


def free_ports(count: int) -> list[int]:
    """Give that many different ports on 127.0.0.1 that nobody listens on at this moment."""
    found: list[int] = []
    for port in random.SystemRandom().sample(range(LOWEST, HIGHEST), k=HIGHEST - LOWEST):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports are left")
