"""The operator's copy of the rules is that of deploy/monitoring."""

import yaml

from deploy.prometheus_rule import prometheus_rule, shipped_rules
from tests.deploy.k8s.installations import K8S
from tests.deploy.k8s.manifests import Installation
from tests.deploy.k8s.schemas import custom

RULES = """
groups:
  - name: an-example
    rules:
      - alert: NobodyWorks
        expr: max(download_queue_depth) > 0
        for: 5m
        labels: {severity: critical}
"""


def test_the_shipped_copy_is_fresh() -> None:
    written = (K8S / "components/monitoring/prometheus-rule.yaml").read_text(encoding="utf-8")

    assert written == prometheus_rule(shipped_rules()), "Run: make docs"


def test_groups_are_taken_as_they_are_and_the_operator_takes_them() -> None:
    made = Installation.of_yaml(prometheus_rule(RULES))

    assert made.get("PrometheusRule", "waybill")["spec"] == yaml.safe_load(RULES)
    assert list(custom(made)) == []


def test_a_rule_that_the_operator_refuses_is_seen() -> None:
    made = Installation.of_yaml(prometheus_rule(RULES.replace("expr:", "expression:")))

    assert any("expression" in finding for finding in custom(made))
