"""A cluster of embedded servers: three masters with a third of the slots each."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from tests.support.debian_redis import DebianRedis

NODES = 3
SLOTS = 16_384
LOOK_EVERY_SECONDS = 0.05
UP_WITHIN_SECONDS = 30.0


class EmbeddedCluster:
    """A context manager: three masters that know each other. A node that is away takes its own slots with it only."""

    def __init__(self, home: Path) -> None:
        bounds = [SLOTS * n // NODES for n in range(NODES + 1)]
        self.nodes = [
            EmbeddedValkey(
                home / f"node-{n}",
                cluster=range(bounds[n], bounds[n + 1]),
                settings={"cluster-require-full-coverage": "no", "cluster-node-timeout": "3000"},
            )
            for n in range(NODES)
        ]

    @property
    def url(self) -> str:
        """The URL, which names two of the nodes; the third is learned from them."""
        first, second, _ = self.nodes
        return f"redis+cluster://127.0.0.1:{first.port},127.0.0.1:{second.port}"

    def __enter__(self) -> Self:
        """Start the nodes and let them meet."""
        try:
            for node in self.nodes:
                node.start()
            # All of them before the first meeting: a node that knows another one takes no epoch any more.
            for epoch, node in enumerate(self.nodes, start=1):
                ask(node.port, "CLUSTER", "SET-CONFIG-EPOCH", str(epoch))
            for node in self.nodes:
                for other in self.nodes:
                    ask(node.port, "CLUSTER", "MEET", "127.0.0.1", str(other.port), str(other.cluster_port))
            self.wait_until_agreed()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the nodes."""
        self.kill()

    def kill(self) -> None:
        """End the nodes as a crash would; nothing in them is kept."""
        for node in self.nodes:
            node.kill()

    def wait_until_agreed(self) -> None:
        """Return when every node knows the whole cluster and serves."""
        deadline = time.monotonic() + UP_WITHIN_SECONDS
        while not all(self._agrees(node) for node in self.nodes):
            assert time.monotonic() < deadline, [ask(node.port, "CLUSTER", "NODES") for node in self.nodes]
            time.sleep(LOOK_EVERY_SECONDS)

    def node_ids(self) -> list[str]:
        """Give the cluster's own name of each node."""
        return [ask(node.port, "CLUSTER", "MYID") for node in self.nodes]

    @staticmethod
    def _agrees(node: EmbeddedValkey) -> bool:
        lines = ask(node.port, "CLUSTER", "INFO").splitlines()
        return {"cluster_state:ok", f"cluster_slots_ok:{SLOTS}", f"cluster_size:{NODES}"} <= set(lines)


Server = EmbeddedValkey | EmbeddedCluster | DebianRedis


def nodes_of(server: Server) -> Sequence[EmbeddedValkey | DebianRedis]:
    """Give the servers behind a set-up: one, or the nodes of a cluster."""
    return server.nodes if isinstance(server, EmbeddedCluster) else [server]
