"""The gate: every call of a job goes through it first, and comes out with who calls.

    Authorization ─▶ bearer ─┬─ wb_… ─▶ Redis, one HGET ─▶ api_key ─┬─▶ Caller ─▶ may they do this?
                             └─ else ─▶ issuer's keys ────▶ token ──┤
    none, and ?ticket=, to read a job ──────────────────▶ ticket ───┘

A call that cannot be judged now (no Redis, no issuer) is a 503 and never let through.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from litestar import Request

from gateway.auth.api_key import PREFIX, caller_by_key, id_of
from gateway.auth.bearer import read_bearer
from gateway.auth.caller import LOCAL, Caller, Scope
from gateway.auth.issuer_keys import IssuerKeys, SecretKeys
from gateway.auth.jwks import read_secrets
from gateway.auth.ticket import has_ticket, ticket_in
from gateway.auth.tickets import Tickets
from gateway.auth.token import TokenRules, caller_by_token, key_id_of
from shared import limits
from shared.caller_errors import ScopeMissing, Unauthenticated
from shared.clock import now_ms
from shared.gateway_settings import GatewaySettings
from shared.jobstore.access import Commands
from shared.jobstore.api_keys import ApiKeys
from shared.ticket import TicketSecret, read_ticket_secrets


class Tokens:
    """Judges tokens by the keys of their issuer."""

    def __init__(self, keys: IssuerKeys | SecretKeys, rules: TokenRules) -> None:
        self.keys = keys
        self._rules = rules

    async def caller(self, token: str) -> Caller:
        """Say who calls. Raises Unauthenticated, OwnerRefused, TokenKeysUnavailable."""
        keys = await self.keys.named(key_id_of(token))
        return caller_by_token(token, keys, self._rules)


class Gate:
    """Lets callers in by API keys, by tokens, or by either; with neither, everybody as the one local owner."""

    def __init__(
        self, *, api_keys: ApiKeys | None = None, tokens: Tokens | None = None, tickets: Tickets | None = None
    ) -> None:
        self._api_keys = api_keys
        self._tokens = tokens
        self.tickets = tickets or Tickets()

    @property
    def problems(self) -> list[str]:
        """Say why callers cannot be judged, a sentence each."""
        return [] if self._tokens is None else list(self._tokens.keys.problems)

    async def run(self) -> None:
        """Keep fresh what callers are judged by, until cancelled; returns at once when there is nothing to do."""
        if self._tokens is not None:
            await self._tokens.keys.run()

    async def admit(self, request: Request[Any, Any, Any]) -> Caller:
        """Say who calls for their own jobs. Raises Unauthenticated, OwnerRefused, ScopeMissing, UnavailableError."""
        if self._is_open:
            return LOCAL
        sent = request.headers.getall("authorization", [])
        caller = await self._caller(read_bearer(sent, has_ticket=has_ticket(request.scope["query_string"])))
        if Scope.USER not in caller.scopes:
            raise ScopeMissing("This key or token is not for jobs: it lacks the scope user.", scope=Scope.USER)
        return caller

    async def admit_reader(self, request: Request[Any, Any, Any]) -> Caller:
        """Say who reads a job: as admit() does, or, where there is no Authorization header, by the ticket in the query.

        Raises TicketRefused and TicketExpired besides.
        """
        has_header = bool(request.headers.getall("authorization", []))
        ticket = None if self._is_open or has_header else ticket_in(request.scope["query_string"])
        return await self.admit(request) if ticket is None else self.tickets.caller(ticket)

    @property
    def _is_open(self) -> bool:
        return self._api_keys is None and self._tokens is None

    async def _caller(self, credential: str) -> Caller:
        if credential.startswith(PREFIX) and self._api_keys is not None:
            return await self._caller_by_key(credential, self._api_keys)
        if self._tokens is None:
            raise Unauthenticated("This is no API key; they begin with wb_, and are taken whole.", is_refused=True)
        return await self._tokens.caller(credential)

    async def _caller_by_key(self, api_key: str, api_keys: ApiKeys) -> Caller:
        key_id = id_of(api_key)
        caller = None
        if key_id is not None:
            caller = caller_by_key(api_key, key_id, await api_keys.find(key_id), now_ms=now_ms())
        if caller is None:
            raise Unauthenticated(
                "This API key is not known: it was mistyped, revoked, or has expired.", is_refused=True
            )
        return caller


def open_gate(settings: GatewaySettings, connection: Commands) -> Gate:
    """Make the gate that the settings ask for; somebody must run() it. Raises SettingsError for a JWKS file."""
    return Gate(
        api_keys=ApiKeys(connection) if settings.takes_api_keys else None,
        tokens=_tokens(settings) if settings.takes_tokens else None,
        tickets=Tickets(_ticket_secrets(settings), life_seconds=settings.ticket_seconds),
    )


def _ticket_secrets(settings: GatewaySettings) -> Sequence[TicketSecret]:
    """Give what tickets are signed with: where nobody needs one, a secret that nobody knows is as good as any."""
    if settings.auth == "none" and not settings.ticket_secrets:
        return [TicketSecret("drawn", secrets.token_bytes(limits.MIN_TICKET_SECRET_CHARS))]
    return read_ticket_secrets(settings.ticket_secrets)


def _tokens(settings: GatewaySettings) -> Tokens:
    rules = TokenRules(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        leeway_seconds=settings.jwt_leeway_seconds,
        owner_claim=settings.jwt_owner_claim,
        scope_claim=settings.jwt_scope_claim,
    )
    if settings.jwt_jwks:
        return Tokens(IssuerKeys(settings.jwt_jwks), rules)
    return Tokens(SecretKeys(read_secrets(settings.jwt_secrets)), rules)
