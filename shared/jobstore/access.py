"""The connections of a process, whatever the set-up behind REDIS_URL: one server, a watched master, or a cluster.

Everybody else knows them by these two names; which class is behind a name is decided here.
"""

from collections.abc import Callable

from shared.jobstore.cluster import ClusterCommands
from shared.jobstore.cluster_live import ClusterLive
from shared.jobstore.connection import CommandConnection
from shared.jobstore.live import LiveChannel
from shared.jobstore.location import Mode, RedisLocation

Commands = CommandConnection | ClusterCommands
"""Sends commands to whoever holds their key."""
Live = LiveChannel | ClusterLive
"""Delivers what is published on wanted channels."""


def open_commands(location: RedisLocation, *, name: str) -> Commands:
    """Make the command side for a location; somebody must run() it."""
    return (ClusterCommands if location.mode is Mode.CLUSTER else CommandConnection)(location, name=name)


def open_live(
    commands: Commands, *, name: str, on_message: Callable[[str, bytes], None], on_restored: Callable[[], None]
) -> Live:
    """Make the live side that belongs to a command side; somebody must run() it."""
    if isinstance(commands, ClusterCommands):
        return ClusterLive(commands, name=name, on_message=on_message, on_restored=on_restored)
    return LiveChannel(
        commands.location,
        name=name,
        on_message=on_message,
        on_restored=on_restored,
        is_reachable=lambda: commands.healthy_since is not None,
    )
