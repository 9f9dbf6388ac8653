"""Whether both programs would start with what the overlay gives them, and understand each other's links. Pure."""

from collections.abc import Iterator, Mapping

from deploy.overlay.manifests import Manifest, environment_of
from shared.environment import load
from shared.errors import SettingsError
from shared.gateway_settings import GatewaySettings
from shared.misspelling import likely_misspelt
from shared.processor_settings import ProcessorSettings
from shared.setting import PREFIX, settings_of

_KINDS: Mapping[str, type[GatewaySettings | ProcessorSettings]] = {
    "gateway": GatewaySettings,
    "processor": ProcessorSettings,
}
_OURS = (PREFIX, "REDIS_")


def refusals(manifests: list[Manifest]) -> Iterator[str]:
    """Say why a pod would end at its start, which variable it would not read, and whether tickets are of one secret.

    A program whose environment is brought by somebody else in part (External Secrets) is not judged.
    """
    given = {component: environment_of(manifests, f"waybill-{component}") for component in _KINDS}
    known = {component: environment.variables for component, environment in given.items() if environment.is_whole}
    for component, variables in known.items():
        yield from (f"{component}: {odd}" for odd in _oddities(_KINDS[component], variables))
    if len({variables.get("WAYBILL_TICKET_SECRETS") for variables in known.values()}) > 1:
        yield (
            "processor: its links in callbacks have tickets that gateways do not take: "
            "WAYBILL_TICKET_SECRETS must be the same text in both secrets"
        )


def _oddities(kind: type[GatewaySettings | ProcessorSettings], environment: Mapping[str, str]) -> Iterator[str]:
    unread = environment.keys() - {setting.variable for setting in settings_of(kind)}
    # The rest is for libraries and the system (TZ, SSL_CERT_FILE, OTEL_…), and no pod ends by it.
    ours = {name for name in unread if name.startswith(_OURS)} | {name for name, _ in likely_misspelt(environment)}
    yield from (f"{name} is no setting of it" for name in sorted(ours))
    try:
        load(kind, environment)
    except SettingsError as wrong:
        # Examples are left_in_place's to name, wherever they are.
        yield from (problem for problem in wrong.problems if "the example of" not in problem)
