"""What deploy/monitoring says, read into values that tests can judge, and break a copy of."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from gateway.app import ROUTES
from gateway.edge.answer_times import CALLS_THAT_STREAM, NO_CALL
from tests.architecture.source_tree import ROOT
from tests.support.promql import Matcher, selectors

SHIPPED = ROOT / "deploy" / "monitoring"
OPERATIONS = ROOT / "docs" / "operations.md"
METRICS = ROOT / "docs" / "metrics.md"

Values = Mapping[str, set[str]]
"""Of each label of a metric those that it may have."""

_CALLS = {route.fn.__name__ for route in ROUTES} | {NO_CALL}
_KINDS = {f"{hundreds}xx" for hundreds in range(1, 6)}
OF_CALLERS: Mapping[str, Values] = {
    "http_answers_total": {"call": _CALLS, "status": _KINDS},
    "http_request_duration_seconds": {"call": _CALLS - CALLS_THAT_STREAM, "status": _KINDS},
}
"""Metrics that show a value once a caller has made it happen, and what may happen."""


class Files(NamedTuple):
    """A copy of the directory's files, and of the pages beside them, to be broken."""

    rules: str
    rules_test: str
    dashboard: str
    operations: str
    metrics: str

    @classmethod
    def shipped(cls) -> "Files":
        """Read what is there."""
        names = (SHIPPED / "rules.yaml", SHIPPED / "rules_test.yaml", SHIPPED / "dashboard.json", OPERATIONS, METRICS)
        return cls(*(path.read_text(encoding="utf-8") for path in names))

    # ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def all_rules(self) -> list[dict[str, Any]]:
        """Give all rules, recorded and alerting."""
        return [rule for group in yaml.safe_load(self.rules)["groups"] for rule in group["rules"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Give the alerting rules."""
        return [rule for rule in self.all_rules() if "alert" in rule]

    def complaints_about_alerts(self) -> Iterator[str]:
        """Name each alert that lacks a severity, a text, a section of its own, or a test of either kind."""
        sections = set(re.findall(r"^### (\w+)$", self.operations, re.MULTILINE))
        fires, is_quiet = self._tested()
        for alert in self.alerts():
            name, notes = alert["alert"], alert.get("annotations", {})
            wanted = {
                "severity": alert.get("labels", {}).get("severity") in ("critical", "warning"),
                "summary": bool(notes.get("summary")),
                "description": bool(notes.get("description")),
                "runbook": notes.get("runbook_url") == f"docs/operations.md#{name.lower()}" and name in sections,
                "firing": name in fires,
                "quiet": name in is_quiet,
            }
            yield from (f"{name}: {what}" for what, is_there in wanted.items() if not is_there)
        named = {alert["alert"] for alert in self.alerts()}
        yield from (
            f"{section}: no such alert"
            for section in sections
            if section.startswith("Waybill") and section not in named
        )

    def _tested(self) -> tuple[set[str], set[str]]:
        cases = [case for test in yaml.safe_load(self.rules_test)["tests"] for case in test.get("alert_rule_test", [])]
        return (
            {case["alertname"] for case in cases if case["exp_alerts"]},
            {case["alertname"] for case in cases if not case["exp_alerts"]},
        )

    # ── dashboard ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def panels(self) -> list[dict[str, Any]]:
        """Give the panels that show something."""
        return [panel for panel in json.loads(self.dashboard)["panels"] if panel["type"] != "row"]

    def complaints_about_panels(self) -> Iterator[str]:
        """Name each panel without a unit, with a fixed data source, or on the place of another."""
        taken: dict[tuple[int, int], str] = {}
        for panel in json.loads(self.dashboard)["panels"]:
            title, place = panel["title"], panel["gridPos"]
            for spot in (
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            ):
                if taken.setdefault(spot, title) != title:
                    yield f"{title}: on the place of {taken[spot]}"
                    break
            if place["x"] + place["w"] > 24:
                yield f"{title}: beyond the grid"
        for panel in self.panels():
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            if any(source != {"type": "prometheus", "uid": "${datasource}"} for source in sources):
                yield f"{panel['title']}: data source"
            if not panel["fieldConfig"]["defaults"].get("unit"):
                yield f"{panel['title']}: unit"
            if not all(target["legendFormat"] for target in panel["targets"]):
                yield f"{panel['title']}: legend"

    def expressions(self) -> list[str]:
        """Give every expression of rules and dashboard, as Prometheus would meet it."""
        shown = [target["expr"] for panel in self.panels() for target in panel["targets"]]
        shown += [note["expr"] for note in json.loads(self.dashboard)["annotations"]["list"]]
        return [rule["expr"] for rule in self.all_rules()] + [one.replace("$__rate_interval", "5m") for one in shown]

    # ── metrics ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def documented(self) -> set[str]:
        """Name the metrics that docs/metrics.md has a row for."""
        return set(re.findall(r"^\| `(\w+)` \|", self.metrics, re.MULTILINE))

    def of_the_whole_system(self) -> set[str]:
        """Name the gauges that every replica reports alike."""
        return set(re.findall(r"^\| `(\w+)` \|[^|]*\| \*all\*", self.metrics, re.MULTILINE))

    def of_others(self) -> Mapping[str, Values]:
        """Give the metrics that others have, with the labels of theirs that come from here."""
        autoscalers = {"horizontalpodautoscaler": set(_autoscalers())}
        return {
            # kube-state-metrics': how far the autoscaler may go, only the cluster knows.
            "kube_horizontalpodautoscaler_status_current_replicas": autoscalers,
            "kube_horizontalpodautoscaler_spec_max_replicas": autoscalers,
            # Prometheus' own.
            "ALERTS": {
                "alertname": {alert["alert"] for alert in self.alerts()},
                "alertstate": {"pending", "firing"},
                "severity": {"critical", "warning"},
            },
        }

    def complaints_about_metrics(self, scraped: Mapping[str, Values]) -> Iterator[str]:
        """Name what the expressions ask for and nobody has: metrics, labels, values of labels."""
        recorded = {rule["record"] for rule in self.all_rules() if "record" in rule}
        known = {**scraped, **self.of_others()}
        for expression in self.expressions():
            for metric, matchers in selectors(expression):
                if metric in recorded:
                    continue
                family = re.sub(r"_(bucket|count|sum)$", "", metric)
                labels = known.get(metric) or known.get(family)
                if labels is None:
                    yield f"{metric}: nobody has it"
                    continue
                yield from _complaints_about_labels(metric, matchers, {**labels, **OF_CALLERS.get(family, {})})

    def complaints_about_sums(self) -> Iterator[str]:
        """Name the gauges of the whole system that are added up over the replicas, which all report the same."""
        for expression in self.expressions():
            for metric in self.of_the_whole_system():
                if re.search(rf"\b{metric}\b", re.sub(r"\b(max|min)\s*\([^()]*\)", "", expression)):
                    yield f"{metric} in {expression}: take max()"


def _complaints_about_labels(metric: str, matchers: tuple[Matcher, ...], labels: Values) -> Iterator[str]:
    for matcher in matchers:
        if matcher.label not in labels:
            yield f"{metric}: no label {matcher.label}"
            continue
        # Prometheus compares the whole value. A branch that matches hides one that never will, so each is asked for.
        for branch in matcher.alternatives:
            if not any(re.fullmatch(branch, value) for value in labels[matcher.label]):
                yield f"{metric}: {matcher.label} is never {branch}"


def _autoscalers() -> Iterator[str]:
    """Give the names that the autoscalers of deploy/k8s have in a cluster; KEDA makes its own of its ScaledObjects."""
    prefixes = {"HorizontalPodAutoscaler": "", "ScaledObject": "keda-hpa-"}
    for path in (ROOT / "deploy" / "k8s" / "components").glob("*/*.yaml"):
        for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if (manifest or {}).get("kind") in prefixes:
                yield prefixes[manifest["kind"]] + manifest["metadata"]["name"]


def promtool(
    program: str, files: Files, home: Path, *arguments: str, only: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run promtool beside a copy of the rules and their tests; `only` of one alert."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / "rules.yaml").write_text(files.rules, encoding="utf-8")
    tests = yaml.safe_load(files.rules_test)
    tests["tests"] = [test for test in tests["tests"] if test["name"].startswith(f"{only}." if only else "")]
    (home / "rules_test.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    shown = [{"record": f"shown:number{n}", "expr": expression} for n, expression in enumerate(files.expressions())]
    (home / "shown.yaml").write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": shown}]}), encoding="utf-8")
    return subprocess.run([program, *arguments], cwd=home, capture_output=True, text=True, check=False, timeout=110)


def lint(program: str, metrics: str) -> subprocess.CompletedProcess[str]:
    """Let promtool judge what /metrics shows."""
    command = [program, "check", "metrics"]
    return subprocess.run(command, input=metrics, capture_output=True, text=True, check=False, timeout=60)


def scrape(text: str) -> dict[str, dict[str, set[str]]]:
    """Read /metrics: each family and each of its series' names, with the values that each label has."""
    found: dict[str, dict[str, set[str]]] = {}
    for name in re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE):
        found.setdefault(name, {})
    for name, labels in re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        of_name = found.setdefault(name, {})
        for family in (of_name, found.get(re.sub(r"_(bucket|count|sum)$", "", name), {})):
            for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels):
                family.setdefault(label, set()).add(value)
    return found
