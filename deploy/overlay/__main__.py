"""Reads a rendered overlay from stdin, and says what must not be applied as it is.

    kubectl kustomize deploy/k8s/overlays/ours | python -m deploy.overlay [FILE …]

The files are looked through for what is shipped too: Redis' users.acl, where the overlay does not bring it. The exit
code is 0 when nothing is found, 1 when something is, 2 when there is nothing to read.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from deploy.overlay.backlog import miscounts
from deploy.overlay.keda import disagreements
from deploy.overlay.left_in_place import left_in_file, left_in_manifests
from deploy.overlay.manifests import read_manifests
from deploy.overlay.programs import refusals

IN_ORDER, WRONG, UNREADABLE = 0, 1, 2


def check(rendered: str, paths: Sequence[str]) -> int:
    """Say what is found in a rendered overlay and in files beside it, line by line; returns the exit code."""
    try:
        manifests = read_manifests(rendered)
        files = {path: Path(path).read_text(encoding="utf-8") for path in paths}
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as trouble:
        print(f"waybill: it cannot be read: {trouble}", file=sys.stderr)
        return UNREADABLE
    if not manifests:
        print("waybill: no manifest came in; pipe what `kubectl kustomize` writes into this.", file=sys.stderr)
        return UNREADABLE
    found = [*left_in_manifests(manifests), *refusals(manifests), *disagreements(manifests), *miscounts(manifests)]
    found += [finding for path, text in files.items() for finding in left_in_file(path, text)]
    for finding in found:
        print(finding)
    looked_at = f"{len(manifests)} manifests" + (f" and {', '.join(files)}" if files else "")
    print(f"{looked_at}: {f'{len(found)} to be changed before they are applied' if found else 'nothing was found'}.")
    return WRONG if found else IN_ORDER


if __name__ == "__main__":
    sys.exit(check(sys.stdin.read(), sys.argv[1:]))
