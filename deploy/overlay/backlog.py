"""Whether KEDA counts the unfinished jobs of all partitions, and wants a processor for as many as it has slots. Pure.

The numbers are the programs' own: who raises WAYBILL_SLOTS or WAYBILL_PARTITIONS and forgets KEDA's gets too many
processors, or too few, and no message from anybody.
"""

import re
from collections.abc import Iterator

from deploy.overlay.keda import PROCESSORS, redis_triggers, scalers
from deploy.overlay.manifests import Manifest, environment_of
from shared.environment import load
from shared.errors import SettingsError
from shared.jobstore import keys
from shared.processor_settings import ProcessorSettings

_COUNTED_OTHERWISE = frozenset({"consumerGroup", "lagCount", "pendingEntriesCount"})
_NUMBERS = ("WAYBILL_SLOTS", "WAYBILL_PARTITIONS")


def miscounts(manifests: list[Manifest]) -> Iterator[str]:
    """Say where KEDA's streams, lengths, formula and target are not those of the processors' settings."""
    given = environment_of(manifests, PROCESSORS).variables
    try:
        settings = load(ProcessorSettings, {name: given[name] for name in _NUMBERS if name in given})
    except SettingsError:
        return  # programs.py names it
    for scaler in scalers(manifests):
        if triggers := redis_triggers(scaler):
            found = [*_of_triggers(triggers, settings), *_of_modifiers(scaler, triggers, settings.slots)]
            yield from (f"ScaledObject {PROCESSORS}: {odd}" for odd in found)


def _of_triggers(triggers: list[Manifest], settings: ProcessorSettings) -> Iterator[str]:
    streams = [trigger["metadata"].get("stream") for trigger in triggers]
    if sorted(map(str, streams)) != sorted(map(keys.commands, range(settings.partitions))):
        yield f"the triggers are not those of the command streams of {settings.partitions} partitions"
    for trigger in triggers:
        if trigger["metadata"].get("streamLength") != str(settings.slots):
            yield f"trigger {trigger.get('name')} has a streamLength that is not WAYBILL_SLOTS={settings.slots}"
        if odd := trigger["metadata"].keys() & _COUNTED_OTHERWISE:
            yield f"trigger {trigger.get('name')} has {sorted(odd)}, with which KEDA does not count the stream's length"


def _of_modifiers(scaler: Manifest, triggers: list[Manifest], slots: int) -> Iterator[str]:
    modifiers = scaler["spec"].get("advanced", {}).get("scalingModifiers", {})
    target, formula = modifiers.get("target"), modifiers.get("formula", "")
    if target != str(slots):
        yield f"the target is {target!r} and not WAYBILL_SLOTS={slots}"
    names = [trigger.get("name", "") for trigger in triggers]
    # What the formula names besides, such as the hours of upkeep, is no partition.
    words = re.findall(r"[A-Za-z_]\w*", formula)
    if sorted(word for word in words if word in names) != sorted(names) or _is_no_sum(formula):
        yield f"the formula {formula!r} does not add up all partitions once"
    known = {trigger.get("name", "") for trigger in scaler["spec"]["triggers"]}
    if set(words) != known:
        yield f"the formula {formula!r} names other triggers than {sorted(known)}"


def _is_no_sum(formula: str) -> bool:
    # max() and the like are functions; (condition ? 1 : 0) is none.
    return re.search(r"[A-Za-z_]\w*\s*\(", formula) is not None
