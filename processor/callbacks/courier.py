"""Carries one callback to where it goes: writes it, signs it, and has it sent under the guard.

    what was taken ─▶ body, signature ─▶ URL judged as a text ─▶ guard ─▶ POST ─▶ Reception

The admins' URL is the operators' own word: no guard stands before it, and it may have a user and a password in it.
"""

from datetime import UTC, datetime
from typing import NamedTuple, Self

from aiohttp.abc import AbstractResolver

from processor.callbacks.address_guard import guarded_connector
from processor.callbacks.answer import OneAnswerConnector
from processor.callbacks.delivery import post
from processor.callbacks.message import Links, body_of
from processor.callbacks.outcome import Reception, Trouble
from processor.callbacks.signature import signed_headers
from shared.callback_errors import CallbackAddressRefused, CallbackUrlRefused
from shared.callbacks.signing_secret import SigningSecret
from shared.callbacks.target import CallbackRules, read_target
from shared.jobstore.callback import TakenCallback
from shared.processor_settings import ProcessorSettings
from shared.telemetry.tracing import traceparent_of_current_span
from shared.ticket import read_ticket_secrets

ADMINS = "@admins"
"""Whose secret signs the admins' callbacks. No owner's name begins like this, so no owner has this secret."""

_NO_ADMIN_URL = Reception(
    trouble=Trouble.URL_REFUSED, details="WAYBILL_ADMIN_CALLBACK_URL is not set here, and was where the job failed."
)


class Terms(NamedTuple):
    """What operators have settled: where callbacks go, what signs them, how links are written, where admins are."""

    rules: CallbackRules
    secrets: tuple[SigningSecret, ...] = ()
    links: Links = Links()
    admin_url: str = ""

    @classmethod
    def of(cls, settings: ProcessorSettings) -> Self:
        """Read them. Raises SettingsError."""
        ticket_secrets = read_ticket_secrets(settings.ticket_secrets)
        return cls(
            rules=settings.callback_rules,
            secrets=settings.signing_secrets,
            links=Links(settings.public_url, ticket_secrets[0] if ticket_secrets else None),
            admin_url=settings.admin_callback_url,
        )


class Courier:
    """Sends callbacks by these terms. `names` looks up where hosts lead (NameLookUp)."""

    def __init__(self, terms: Terms, names: AbstractResolver) -> None:
        self._terms = terms
        self._names = names

    async def carry(self, taken: TakenCallback) -> Reception:
        """Try once to deliver what was taken; give how it was received."""
        body = body_of(taken, self._terms.links)
        if taken.is_for_admins:
            return await self.tell_admins(body, callback_id=taken.callback_id)
        url = taken.record.callback_url or ""
        return await self.send(url, body, callback_id=taken.callback_id, owner=taken.record.owner)

    async def send(self, url: str, body: bytes, *, callback_id: str, owner: str) -> Reception:
        """Send a body to a URL of an owner's choice, signed with the owner's secret."""
        rules = self._terms.rules
        try:
            target = read_target(url, rules)
            connector = guarded_connector(target, rules, self._names)
        except CallbackUrlRefused as error:
            return Reception(trouble=Trouble.URL_REFUSED, details=error.message)
        except CallbackAddressRefused as error:
            return Reception(trouble=Trouble.NO_ADDRESS, details=error.message)
        headers = self._headers(callback_id, body, owner)
        return await post(target.url, body, headers, connector=connector, as_written=True)

    async def tell_admins(self, body: bytes, *, callback_id: str) -> Reception:
        """Send a body to the admins' URL, signed with the secret that no owner has."""
        if not self._terms.admin_url:
            return _NO_ADMIN_URL
        headers = self._headers(callback_id, body, ADMINS)
        # Looked up as owners' hosts are, and not in the threads that all of the process share.
        connector = OneAnswerConnector(resolver=self._names)
        return await post(self._terms.admin_url, body, headers, connector=connector)

    def _headers(self, callback_id: str, body: bytes, owner: str) -> dict[str, str]:
        secrets = [secret.of_owner(owner) for secret in self._terms.secrets]
        headers = signed_headers(callback_id, body, secrets, sent_at=datetime.now(UTC))
        traceparent = traceparent_of_current_span()
        return headers | ({"traceparent": traceparent} if traceparent else {})
