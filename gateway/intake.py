"""What it takes to create a job, handed to the route as one."""

import msgspec

from gateway.admission import Admission
from gateway.streaming.following import Following
from shared.jobstore.idempotency import IdempotencyKeys
from shared.objects.catalogue import Catalogue


class Intake(msgspec.Struct, frozen=True):
    """One dependency and not four, for the reason that Following has."""

    following: Following
    catalogue: Catalogue
    idempotency_keys: IdempotencyKeys
    admission: Admission
