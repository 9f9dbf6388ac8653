"""Whether KEDA asks the Redis of REDIS_URL, in its way, as the user who may count and nothing else. Pure.

kustomize cuts KEDA's addresses out of REDIS_URL at each `/`, and takes whatever stands there. A URL that our programs
read well, without a port or with a password, so gives a ScaledObject that counts nothing or shows the password: KEDA
says it in its own log, and nothing is scaled.
"""

from collections.abc import Iterator

from deploy.overlay.manifests import Manifest, data_of, environment_of, of_kind, title_of
from shared.errors import SettingsError
from shared.jobstore.location import Mode, RedisLocation, parse_location

PROCESSORS = "waybill-processor"
TRIGGERS = {
    Mode.STANDALONE: "redis-streams",
    Mode.SENTINEL: "redis-sentinel-streams",
    Mode.CLUSTER: "redis-cluster-streams",
}
_FORM = "Write host:port of each server, a / behind the last one, and no user"


def scalers(manifests: list[Manifest]) -> list[Manifest]:
    """Give what scales the processors by KEDA."""
    scaled = of_kind(manifests, "ScaledObject")
    return [scaler for scaler in scaled if scaler["spec"]["scaleTargetRef"]["name"] == PROCESSORS]


def redis_triggers(scaler: Manifest) -> list[Manifest]:
    """Give the triggers that count streams of Redis."""
    return [trigger for trigger in scaler["spec"]["triggers"] if trigger["type"] in TRIGGERS.values()]


def disagreements(manifests: list[Manifest]) -> Iterator[str]:
    """Say where KEDA's triggers and secret are not those of REDIS_URL; nothing where KEDA scales no processors."""
    triggers = [trigger for scaler in scalers(manifests) for trigger in redis_triggers(scaler)]
    if not triggers:
        return
    url = environment_of(manifests, PROCESSORS).variables.get("REDIS_URL")
    if url is None:
        yield f"Deployment {PROCESSORS}: nothing here gives it REDIS_URL, so KEDA's address is held against nothing"
        return
    try:
        location = parse_location(url)
    except SettingsError as wrong:
        yield from wrong.problems
        return
    if location.credentials.password:
        yield (
            "REDIS_URL has a password, which everybody sees who may read ConfigMaps or the ScaledObject: "
            "put user and password into REDIS_USERNAME and REDIS_PASSWORD of the secrets"
        )
    for trigger in triggers:
        yield from (
            f"ScaledObject {PROCESSORS}, trigger {trigger.get('name')}: {odd}" for odd in _oddities(trigger, location)
        )
    # An overlay may have more of them, for triggers of its own: of Prometheus, of a cloud's queue.
    used = {(trigger.get("authenticationRef") or {}).get("name") for trigger in triggers}
    for authentication in of_kind(manifests, "TriggerAuthentication"):
        if authentication["metadata"]["name"] in used:
            yield from _credentials(manifests, authentication, location)


def _oddities(trigger: Manifest, location: RedisLocation) -> Iterator[str]:
    told = trigger["metadata"]
    addresses = ",".join(map(str, location.addresses))
    if trigger["type"] != TRIGGERS[location.mode]:
        yield f"is {trigger['type']}, and REDIS_URL is {location.mode}, which wants {TRIGGERS[location.mode]}"
    if told.get("address", told.get("addresses")) != addresses:
        yield f"asks another Redis than {addresses or 'the socket'}, where REDIS_URL leads. {_FORM}"
    if told.get("sentinelMaster", "") != location.master_name:
        yield f"asks for another master than {location.master_name!r}. Write it between two / in REDIS_URL"
    if told.get("databaseIndex", "0") != str(location.db):
        yield f"counts in another database than REDIS_URL's {location.db}. Write /0, or patch databaseIndex"
    if trigger.get("authenticationRef") != {"name": "waybill-redis"}:
        yield "names no user, who is in the TriggerAuthentication waybill-redis"


def _credentials(manifests: list[Manifest], authentication: Manifest, location: RedisLocation) -> Iterator[str]:
    title = title_of(authentication)
    asked = {part["parameter"]: part for part in authentication["spec"].get("secretTargetRef", [])}
    if location.mode is Mode.SENTINEL and not {"sentinelUsername", "sentinelPassword"} <= asked.keys():
        yield f"{title}: names no user for the Sentinels"
    secrets = {secret["metadata"]["name"]: data_of(secret) for secret in of_kind(manifests, "Secret")}
    if not {part["name"] for part in asked.values()} <= secrets.keys():
        return  # a store of secrets brings it (External Secrets), and nobody here knows what it holds
    if missing := sorted(part["key"] for part in asked.values() if part["key"] not in secrets[part["name"]]):
        yield f"{title}: its secret has no {', '.join(missing)}, which may be empty, and must be there"
    given = {parameter: secrets[part["name"]].get(part["key"]) for parameter, part in asked.items()}
    if given.get("username") != "keda":
        yield f"{title}: comes to Redis as {given.get('username')!r}, and not as keda, who may count and nothing else"
    if (given.get("tls") == "enable") != (location.tls is not None):
        yield f"{title}: its tls is {given.get('tls')!r}, and REDIS_URL begins with {location.shown.partition(':')[0]}://"
