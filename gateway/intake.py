"""What it takes to create a job, handed to the route as one."""

from gateway.admission import Admission
from gateway.streaming.following import Following
from shared.callbacks.target import CallbackRules
from shared.jobstore.idempotency import IdempotencyKeys
from shared.objects.catalogue import Catalogue


class Intake:
    """One dependency and not five, for the reason that Following has.

    A plain class: Litestar looks into the types of a struct, and refuses those of the rules.
    """

    def __init__(
        self,
        following: Following,
        catalogue: Catalogue,
        idempotency_keys: IdempotencyKeys,
        admission: Admission,
        *,
        callback_rules: CallbackRules,
    ) -> None:
        self.following = following
        self.catalogue = catalogue
        self.idempotency_keys = idempotency_keys
        self.admission = admission
        self.callback_rules = callback_rules
