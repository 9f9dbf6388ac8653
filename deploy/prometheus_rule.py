"""The rules of deploy/monitoring in the form that the Prometheus operator takes: `python -m deploy.prometheus_rule`.

Prometheus reads a file of groups, its operator an object that holds them; kustomize cannot make the one of the other.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parent / "monitoring" / "rules.yaml"

_HEAD = """\
# Written by `make docs` from deploy/monitoring/rules.yaml; a test fails when it is stale.
"""


def prometheus_rule(rules: str) -> str:
    """Write the PrometheusRule of a file of rules; without any it holds none."""
    manifest: dict[str, Any] = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "waybill"},
        "spec": {"groups": (yaml.safe_load(rules) or {}).get("groups", [])},
    }
    return _HEAD + yaml.safe_dump(manifest, sort_keys=False, width=120, allow_unicode=True)


def shipped_rules() -> str:
    """Read the rules that are shipped; an empty text while there are none."""
    return RULES.read_text(encoding="utf-8") if RULES.exists() else ""


if __name__ == "__main__":
    sys.stdout.write(prometheus_rule(shipped_rules()))
