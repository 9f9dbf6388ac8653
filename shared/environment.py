"""The environment as settings: read by their annotations, and judged together. Pure: the environment is passed in."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from shared.errors import SettingsError
from shared.gateway_settings import GatewaySettings
from shared.objects.location import lies_in
from shared.processor_settings import ProcessorSettings
from shared.setting import settings_of
from shared.settings import CommonSettings, RedisSettings

# What a stop needs besides the drain, until the last connection is aborted (gateway/server.py) and the process is gone.
STOP_SLACK_SECONDS = 5

S = TypeVar("S", bound=RedisSettings)


_EXAMPLE_SECRET = "EXAMPLE-of-random-text"
_EXAMPLE_CALLBACK_SECRET = "whsec_EXAMPLE"
_EXAMPLE_PASSWORD = "EXAMPLE-change-me"
# What such a text says is read further by whoever knows its form.
_READ_FURTHER: dict[str, Callable[[Any], object]] = {
    "redis_url": RedisSettings.redis_location,
    "sources_url": lambda settings: settings.sources,
    "objects_url": lambda settings: settings.objects,
    "callback_ports": lambda settings: settings.callback_port_ranges,
    "callback_networks": lambda settings: settings.networks_for_callbacks,
    "callback_refused_networks": lambda settings: settings.networks_without_callbacks,
    "callback_schedule": lambda settings: settings.schedule_seconds,
    "callback_secrets": lambda settings: settings.signing_secrets,
    "trusted_proxies": lambda settings: settings.trusted_networks,
}


# An empty variable counts as unset, but where that would open what somebody meant to close.
_NEVER_EMPTY = {"auth": "say none if everybody may do everything."}


class Contradiction(NamedTuple):
    """Settings that are fine each, and wrong together."""

    fields: frozenset[str]
    sentence: str


def load(kind: type[S], environment: Mapping[str, str]) -> S:
    """Read the settings of one process; an empty variable counts as unset.

    Raises SettingsError with one sentence for each wrong variable and each contradiction, all of them at once.
    """
    known = settings_of(kind)
    wrong: dict[str, tuple[str, ...]] = {}
    values: dict[str, Any] = {}
    for setting in known:
        text = environment.get(setting.variable)
        if text == "" and setting.field in _NEVER_EMPTY:
            wrong[setting.field] = (f"{setting.variable} is there, and empty: {_NEVER_EMPTY[setting.field]}",)
        if not text:
            continue
        try:
            values[setting.field] = setting.read(text)
        except ValueError as error:
            wrong[setting.field] = (str(error),)
    settings = kind(**values)
    for field in _READ_FURTHER.keys() & set(kind.__struct_fields__):
        try:
            _READ_FURTHER[field](settings)
        except SettingsError as unclear:
            wrong[field] = unclear.problems
    problems = [problem for setting in known for problem in wrong.get(setting.field, ())]
    # What contradicts only the default of a wrong variable is no problem yet.
    problems += [found.sentence for found in _contradictions(settings) if not found.fields & wrong.keys()]
    if problems:
        raise SettingsError(problems)
    return settings


def _contradictions(settings: RedisSettings) -> Iterator[Contradiction]:
    # Without TLS it is the Redis of the dev overlay, which has the shipped users, and is thrown away.
    for field in ("redis_url", "redis_password"):
        if settings.redis_url.startswith("rediss") and _EXAMPLE_PASSWORD in getattr(settings, field):
            yield _known_to_all(field, prefix="")
    if isinstance(settings, ProcessorSettings) and settings.renew_every_ms * 2 > settings.lease_ms:
        yield _contradiction(
            settings, "renew_every_ms", "must be at most half of", "lease_ms", "or one late renewal loses a healthy job"
        )
    if isinstance(settings, ProcessorSettings) and _EXAMPLE_CALLBACK_SECRET in settings.callback_secrets:
        yield _known_to_all("callback_secrets")
    if isinstance(settings, CommonSettings):
        yield from _contradictions_of_tickets(settings)
    if isinstance(settings, CommonSettings) and _are_sources_among_archives(settings):
        yield _contradiction(
            settings,
            "sources_url" if settings.sources_url else "sources_dir",
            "must lie outside of",
            "objects_url" if settings.objects_url else "objects_dir",
            "a place that is Waybill's alone: unfinished uploads of others are aborted there",
        )
    if isinstance(settings, GatewaySettings):
        yield from _contradictions_of_auth(settings)
        if settings.drain_seconds + STOP_SLACK_SECONDS > settings.stop_grace_seconds:
            yield _contradiction(
                settings,
                "drain_seconds",
                f"must be at least {STOP_SLACK_SECONDS} seconds less than",
                "stop_grace_seconds",
                "or the gateway is killed while it still serves",
            )
        if settings.port and settings.port == settings.admin_port:
            yield _contradiction(
                settings, "port", "must differ from", "admin_port", "or one of the two servers cannot listen"
            )


def _contradictions_of_auth(settings: GatewaySettings) -> Iterator[Contradiction]:
    if settings.auth == "none" and not settings.is_loopback:
        yield _contradiction(
            settings,
            "host",
            "must be a loopback address with",
            "auth",
            "or all the network may use and delete all jobs",
        )
    if settings.auth == "none" and settings.cors_origins == "*":
        yield _contradiction(
            settings,
            "cors_origins",
            "must name origins with",
            "auth",
            "or every page that somebody at this machine opens may use and delete all jobs",
        )
    if settings.takes_tokens and bool(settings.jwt_secrets) == bool(settings.jwt_jwks):
        yield Contradiction(
            frozenset({"jwt_secrets", "jwt_jwks"}),
            f"WAYBILL_AUTH={settings.auth} needs WAYBILL_JWT_SECRETS or WAYBILL_JWT_JWKS, and not both: tokens are "
            "judged by the one or by the other.",
        )
    if _EXAMPLE_SECRET in settings.jwt_secrets:
        yield _known_to_all("jwt_secrets")
    for given in ("jwt_secrets", "jwt_jwks", "jwt_issuer", "jwt_audience", "jwt_scope_claim"):
        if getattr(settings, given) and not settings.takes_tokens:
            yield _contradiction(settings, given, "means nothing with", "auth", "which takes no tokens")
    for needed in ("jwt_issuer", "jwt_audience"):
        if settings.takes_tokens and settings.jwt_jwks and not getattr(settings, needed):
            yield _contradiction(
                settings, needed, "must be there with", "jwt_jwks", "whose keys sign tokens for other services too"
            )


def _contradictions_of_tickets(settings: CommonSettings) -> Iterator[Contradiction]:
    if _EXAMPLE_SECRET in settings.ticket_secrets:
        yield _known_to_all("ticket_secrets")
    key_ids = [word.partition(":")[0] for word in settings.ticket_secrets.split()]
    if len(set(key_ids)) < len(key_ids):
        sentence = "WAYBILL_TICKET_SECRETS has an id twice: a ticket names one secret, so give each an id of its own."
        yield Contradiction(frozenset({"ticket_secrets"}), sentence)


def _known_to_all(field: str, *, prefix: str = "WAYBILL_") -> Contradiction:
    sentence = f"{prefix}{field.upper()} holds the example of the documentation, which everybody knows."
    return Contradiction(frozenset({field}), sentence)


def _are_sources_among_archives(settings: CommonSettings) -> bool:
    """Tell whether the sources are where the archives are, or below; archives below the sources harm nobody."""
    try:
        return lies_in(settings.sources, settings.objects)
    except SettingsError:  # one of the two is unclear: that is told already
        return False


def _contradiction(settings: CommonSettings, one: str, must: str, other: str, reason: str) -> Contradiction:
    """Name both, with their values; defaults too, because the reader may change either."""
    shown = {
        s.field: f"{s.variable}={s.shown(_plain(getattr(settings, s.field)))}" for s in settings_of(type(settings))
    }
    return Contradiction(frozenset({one, other}), f"{shown[one]} {must} {shown[other]}, {reason}.")


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
