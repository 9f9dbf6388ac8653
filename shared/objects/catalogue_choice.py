"""Which catalogue a setting means (docs/catalogue.md)."""

from pathlib import Path

from shared.objects.catalogue import Catalogue
from shared.objects.hook import Hook
from shared.objects.key_template import KeyTemplate
from shared.objects.manifest import Manifest
from shared.objects.store import ObjectStore


def open_catalogue(setting: str, sources: ObjectStore) -> Catalogue:
    """Open the catalogue of WAYBILL_CATALOGUE. Blocks: for the start of a process.

    `sources` is the store that a template asks. Raises SettingsError when the manifest or the hook is no good.
    """
    kind, _, rest = setting.partition(":")
    match kind:
        case "template":
            return KeyTemplate(rest, sources)
        case "hook":
            return Hook.load(rest)
    return Manifest.load(Path(setting))


def needs_sources(setting: str) -> bool:
    """Tell whether this catalogue asks the store of the sources for each file: then it is as good as that store."""
    return setting.startswith("template:")
