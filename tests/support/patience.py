"""A job store that waits for as long as a busy machine stands still.

Where a test draws what it does next (Hypothesis), a request that was given up after 1.5 s could be put down neither as
done nor as not done, and an example that ends early is "flaky" to Hypothesis. Nothing is asked there about patience.
"""

import contextlib
from collections.abc import AsyncIterator
from unittest.mock import patch

from shared import limits
from shared.jobstore.cluster import ClusterCommands
from shared.jobstore.connection import Argument, CommandConnection, Reply
from shared.jobstore.location import Mode, parse_location
from shared.jobstore.store import JobStore
from tests.support.stores import running

PATIENCE_SECONDS = 100.0


class PatientConnection(CommandConnection):
    """One server, waited for."""

    async def execute(
        self, *arguments: Argument, within_seconds: float = 0, is_patient: bool = True, is_asking: bool = False
    ) -> Reply:
        """Send one command, whatever time its caller gives it."""
        return await super().execute(
            *arguments, within_seconds=PATIENCE_SECONDS, is_patient=is_patient, is_asking=is_asking
        )


class PatientCluster(ClusterCommands):
    """A cluster, waited for."""

    async def execute(self, *arguments: Argument, within_seconds: float = 0, is_patient: bool = True) -> Reply:
        """Send one command, whatever time its caller gives it."""
        return await super().execute(*arguments, within_seconds=PATIENCE_SECONDS, is_patient=is_patient)


@contextlib.asynccontextmanager
async def running_patient_store(url: str, *, partitions: int) -> AsyncIterator[JobStore]:
    """Give a prepared job store that gives up nothing, and so sends nothing twice, for PATIENCE_SECONDS."""
    location = parse_location(url)
    with patch.object(limits, "REDIS_BATCH_WITHIN_SECONDS", PATIENCE_SECONDS):
        commands = (PatientCluster if location.mode is Mode.CLUSTER else PatientConnection)(location, name="patient")
        async with running(commands.run):
            store = JobStore(commands, partitions=partitions)
            await store.prepare()
            yield store
