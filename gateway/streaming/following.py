"""What the routes that are asked most have in common, handed to them as one."""

import msgspec

from gateway.auth.gate import Gate
from gateway.metrics import GatewayMetrics
from gateway.queue_watch import QueueWatch
from gateway.streaming.hub import Hub
from gateway.streaming.socket_door import SocketDoor
from shared.jobstore.store import JobStore


class Following(msgspec.Struct, frozen=True):
    """All that it takes to follow a job.

    One dependency and not four: Litestar begins a group of tasks for each request as soon as there are two, which was a
    quarter of what it costs to open a stream.
    """

    gate: Gate
    store: JobStore
    hub: Hub
    queue: QueueWatch
    metrics: GatewayMetrics
    socket_door: SocketDoor
