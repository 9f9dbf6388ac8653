"""deploy/monitoring: rules that Prometheus takes and that fire when they should, about metrics that there are.

Each check is shown to fail on a copy that was broken for it.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.resp import ask
from tests.architecture.source_tree import ROOT, assert_none
from tests.support import cargo
from tests.support.monitoring import Files, lint, promtool, scrape
from tests.support.promql import Matcher, Selector, selectors
from tests.support.receiver import Receiver
from tests.support.system import CALLBACKS_TO_LOOPBACK, System
from tests.support.tools import require_tool
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import until

Break = Callable[[Files], Files]
OF_FIRST_PANEL = '"refId": "A",\n     "datasource": {\n      "type": "prometheus",\n      "uid": "${datasource}"'
LATE = 'download_jobs_ended_total{outcome="late"}'
LATE_TO_APPEAR = (
    *("download_estimate_error_ratio_count", "sse_event_age_seconds_count"),
    *("redis_memory_used_ratio", "callback_duration_seconds_count", "callbacks_waiting"),
)
OF_PYTHON = re.compile(r"^(process|python)_")


@pytest.fixture(scope="module")
def files() -> Files:
    """What is shipped."""
    return Files.shipped()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The /metrics of a gateway and of a processor once every histogram has a value: a job was watched, and told of."""
    home = tmp_path_factory.mktemp("shown")
    with Receiver() as receiver, System(home, settings=CALLBACKS_TO_LOOPBACK) as system:
        ask(system.redis.port, "CONFIG", "SET", "maxmemory", "1gb")
        system.wait_for_end(system.create_job(*cargo.MIXED))  # the next one is promised something

        def look() -> tuple[str, str]:
            path = system.create_job(*cargo.LONG[:1], callback_url=receiver.url)
            BackgroundViewer(f"{system.url}{path}/stream").wait_for_end()
            return system.gateways[0].ask("/metrics").text, system.processors[0].ask("/metrics").text

        until(lambda: all(name in "".join(look()) for name in LATE_TO_APPEAR), f"{LATE_TO_APPEAR} have values")
        return look()


@pytest.fixture(scope="module")
def scraped(shown: tuple[str, str]) -> dict[str, dict[str, set[str]]]:
    """What both have together: each name with its labels, and the values of those."""
    found: dict[str, dict[str, set[str]]] = {}
    for text in shown:
        for name, labels in scrape(text).items():
            of_name = found.setdefault(name, {"instance": set()})  # Prometheus gives that one to every series
            for label, values in labels.items():
                of_name.setdefault(label, set()).update(values)
    return found


def replacing(part: str, old: str, new: str) -> Break:
    """Break a copy by another text in one of the files."""

    def broken(files: Files) -> Files:
        text = getattr(files, part)
        assert old in text, f"{old!r} is not in {part} any more"
        return files._replace(**{part: text.replace(old, new, 1)})

    return broken


# ── promtool ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_prometheus_takes_the_rules_and_all_that_the_dashboard_asks(files: Files, tmp_path: Path) -> None:
    program = require_tool("promtool")

    for name in ("rules.yaml", "shown.yaml"):
        checked = promtool(program, files, tmp_path / "home", "check", "rules", name)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("name", "breaking"),
    [
        ("rules.yaml", replacing("rules", "expr: sum(rate(", "expr: sum(rat(")),
        ("rules.yaml", replacing("rules", "    for: 2m", "    for: soon")),
        ("rules.yaml", replacing("rules", "{{ $value | humanizePercentage }}", "{{ $value | percent }}")),
        ("shown.yaml", replacing("dashboard", "sum by (call) (", "sum by (call) ((")),
    ],
)
def test_a_rule_that_prometheus_would_not_take_is_seen(
    files: Files, tmp_path: Path, name: str, breaking: Break
) -> None:
    checked = promtool(require_tool("promtool"), breaking(files), tmp_path / "home", "check", "rules", name)

    assert checked.returncode != 0


def test_alerts_fire_when_they_should_and_not_before(files: Files, tmp_path: Path) -> None:
    tested = promtool(require_tool("promtool"), files, tmp_path / "home", "test", "rules", "rules_test.yaml")

    assert tested.returncode == 0, tested.stdout + tested.stderr


ALTERED: tuple[tuple[str, Break], ...] = (
    (
        "WaybillDeadlineBudgetBurnsFast",
        replacing("rules", "ratio_rate1h > 14.4 * 0.001", "ratio_rate1h > 144 * 0.001"),
    ),
    (
        "WaybillDeadlineBudgetBurnsFast",
        replacing("rules", "ratio_rate5m > 14.4 * 0.001\n", "ratio_rate5m > 144 * 0.001\n"),
    ),
    (
        "WaybillDeadlineBudgetBurnsSlowly",
        replacing("rules", "ratio_rate2h > 3 * 0.001", "ratio_rate2h > 30 * 0.001"),
    ),
    ("WaybillNobodyWorks", replacing("rules", "max(download_slots_ready) == 0", "max(download_slots_ready) < 20")),
    (
        "WaybillRedisUnreachable",
        replacing("rules", 'max(dependency_up{dependency="redis"})', 'min(dependency_up{dependency="redis"})'),
    ),
    (
        "WaybillFailuresBurnFast",
        replacing("rules", 'failed_total{reason!="permanent"}[1h]', "failed_total[1h]"),
    ),
    ("WaybillProcessMemory", replacing("rules", " and on(instance) dependency_up", "")),
    ("WaybillScaledToMaximum", replacing("rules", "          and on() max(download_queue_depth) > 0\n", "")),
    (
        "WaybillRedisMemory",
        replacing("rules", "> 0.9 * min(redis_memory", "> 0.99 * min(redis_memory"),
    ),
    (
        "WaybillJobOverdue",
        replacing(
            "rules",
            "max(download_unfinished_oldest_age_seconds) >",
            "0 * max(download_unfinished_oldest_age_seconds) >",
        ),
    ),
    ("WaybillJobsWaitTooLong", replacing("rules", "> 0.25 * max(download_deadline", "> 0.025 * max(download_deadline")),
    ("WaybillNobodyWorks", replacing("rules", "max(download_processors) == 0", "max(download_processors) < 0")),
    ("WaybillCreatesRefused", replacing("rules", '{reason=~"backlog|memory|redis_full"}', "")),
    (
        "WaybillFailuresBurnSlowly",
        replacing("rules", '{reason!="permanent"}[6h])) > 2.5', '{reason!="permanent"}[6h])) > 0.5'),
    ),
    (
        "WaybillFailuresBurnFast",
        replacing("rules", '{reason!="permanent"}[1h])) > 2.5', '{reason!="permanent"}[1h])) > 0.5'),
    ),
    (
        "WaybillDeadlineBudgetBurnsFast",
        replacing("rules", 'outcome="late"}[1h])) > 1.5', 'outcome="late"}[1h])) > 0.5'),
    ),
    (
        "WaybillDeadLettersGrow",
        replacing(
            "rules",
            "sum(increase(download_jobs_failed_total[1h])) > 20",
            "sum(increase(download_jobs_failed_total[1h])) > 2",
        ),
    ),
    (
        "WaybillDeadLettersFull",
        replacing("rules", "max(download_dead_letters_used_ratio) > 0.9", "max(download_dead_letters_used_ratio) > 2"),
    ),
    ("WaybillProcessorsCrash", replacing("rules", "> 1.5 * (", "> 0 * (")),
    ("WaybillProcessorsCrash", replacing("rules", "\n          or vector(4))", ")")),
    ("WaybillProcessorsCrash", replacing("rules", "(max_over_time(download_slots[15m]))", "(download_slots)")),
    (
        "WaybillProcessorsCrash",
        replacing("rules", "(max_over_time(download_processors[15m]))", "(download_processors)"),
    ),
    ("WaybillProcessorsCrash", replacing("rules", "(download_processors[15m])) > 0)", "(download_processors[15m])))")),
    ("WaybillProcessorRestarts", replacing("rules", ">= 0) > 1", ">= 0) > 0")),
    ("WaybillNotScraped", replacing("rules", "absent(dependency_up)", "absent(download_slots)")),
    ("WaybillNoGateway", replacing("rules", " and on() count(dependency_up) > 0", "")),
    (
        "WaybillDependencyUnreachable",
        replacing(
            "rules",
            '          unless on(dependency) max by (dependency) (dependency_up{dependency="redis"}) == 0\n',
            "",
        ),
    ),
    ("WaybillEventsLate", replacing("rules", "[5m]))) > 2\n", "[5m]))) > 20\n")),
    ("WaybillStreamsPoll", replacing("rules", "max(sse_jobs_polled) > 0", "max(sse_jobs_polled) >= 0")),
    ("WaybillStreamsRefused", replacing("rules", '{reason="overload"}', "")),
    (
        "WaybillAnswersFail",
        replacing(
            "rules", '(http_answers_total{status="5xx"}[5m])) > 5', '(http_answers_total{status="5xx"}[5m])) > 0'
        ),
    ),
    ("WaybillAnswersSlow", replacing("rules", '{call=~"create_job|read_job"}', '{call=~"create_job|read_jobs"}')),
    ("WaybillCleaningStuck", replacing("rules", '{step="stuck"}', "")),
    ("WaybillRepairsGoOn", replacing("rules", "download_repairs_total[90m]", "download_repairs_total[4h]")),
    (
        "WaybillCallbacksOverdue",
        replacing("rules", "max(callbacks_overdue_seconds) > 300", "max(callbacks_overdue_seconds) > 3"),
    ),
    ("WaybillCallbacksDead", replacing("rules", "> 0.1 * (sum(", "> 0.001 * (sum(")),
    ("WaybillCallbacksDead", replacing("rules", 'no_turn"}[1h])) > 0\n', 'no_turn"}[1h])) > 20\n')),
    ("WaybillCallbacksDead", replacing("rules", 'no_turn"}[1h])) > 20\n', 'no_turn"}[1h])) > 2\n')),
)
"""Each alert, and a change of its rule that its own cases see."""


def test_every_alert_is_broken_once(files: Files) -> None:
    assert {name for name, _ in ALTERED} == {alert["alert"] for alert in files.alerts()}


@pytest.mark.parametrize(("alert", "breaking"), ALTERED)
def test_an_alert_that_fires_at_another_time_is_seen(files: Files, tmp_path: Path, alert: str, breaking: Break) -> None:
    home = tmp_path / "home"

    tested = promtool(require_tool("promtool"), breaking(files), home, "test", "rules", "rules_test.yaml", only=alert)

    assert tested.returncode != 0
    assert alert in tested.stdout + tested.stderr


# ── alerts and their runbook ──────────────────────────────────────────────────────────────────────────────────────────


def test_every_alert_has_a_severity_a_text_a_runbook_section_and_both_tests(files: Files) -> None:
    assert len(files.alerts()) > 20
    assert_none(files.complaints_about_alerts())


@pytest.mark.parametrize(
    ("complaint", "breaking"),
    [
        ("WaybillNobodyWorks: runbook", replacing("operations", "### WaybillNobodyWorks\n", "### Nobody works\n")),
        ("WaybillNobodyWorks: runbook", replacing("rules", "#waybillnobodyworks", "#waybill-nobody-works")),
        ("WaybillGone: no such alert", replacing("operations", "### WaybillNobodyWorks\n", "### WaybillGone\n")),
        ("WaybillDeadlineBudgetBurnsFast: severity", replacing("rules", "severity: critical", "severity: loud")),
        ("WaybillDeadlineBudgetBurnsFast: summary", replacing("rules", "summary:", "title:")),
        (
            "WaybillJobOverdue: quiet",
            replacing("rules_test", "10m, alertname: WaybillJobOverdue", "10m, alertname: Another"),
        ),
        (
            "WaybillJobOverdue: firing",
            replacing("rules_test", "        alertname: WaybillJobOverdue\n", "        alertname: Another\n"),
        ),
    ],
)
def test_an_alert_that_lacks_something_is_named(files: Files, complaint: str, breaking: Break) -> None:
    assert complaint in set(breaking(files).complaints_about_alerts())


# ── metrics ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rules_and_dashboard_ask_for_metrics_that_the_processes_have(
    files: Files, scraped: dict[str, dict[str, set[str]]]
) -> None:
    assert_none(files.complaints_about_metrics(scraped))


def test_prometheus_has_nothing_against_names_and_help_of_the_metrics(shown: tuple[str, str]) -> None:
    program = require_tool("promtool")

    for text in shown:
        checked = lint(program, text)
        assert (checked.returncode, checked.stderr) == (0, "")
        assert lint(program, text.replace("_total", "_amount")).returncode != 0


@pytest.mark.parametrize(
    ("complaint", "breaking"),
    [
        (
            "download_queue_deepness: nobody has it",
            replacing("rules", "max(download_queue_depth)", "max(download_queue_deepness)"),
        ),
        (
            "sse_event_age_bucket: nobody has it",
            replacing("dashboard", "sse_event_age_seconds_bucket", "sse_event_age_bucket"),
        ),
        ("download_jobs_ended_total: no label result", replacing("rules", LATE, LATE.replace("outcome", "result"))),
        (
            "download_jobs_ended_total: outcome is never too_late",
            replacing("rules", LATE, LATE.replace("late", "too_late")),
        ),
        (
            "download_creates_refused_total: reason is never redis_filled",
            replacing("rules", "backlog|memory|redis_full", "backlog|memory|redis_filled"),
        ),
        (
            "download_jobs_failed_total: reason is never for_good",
            replacing("rules", 'reason!="permanent"', 'reason!="for_good"'),
        ),
        (
            "download_jobs_failed_total: reason is never perm",
            replacing("rules", 'reason!="permanent"', 'reason!~"perm|unknown"'),
        ),
        (
            "http_request_duration_seconds_bucket: call is never read_a_job",
            replacing("rules", "create_job|read_job", "create_job|read_a_job"),
        ),
        (
            "http_request_duration_seconds_bucket: call is never stream_job",
            replacing("rules", "create_job|read_job", "create_job|stream_job"),
        ),
        (
            "http_answers_total: status is never 5XX",
            replacing("rules", 'http_answers_total{status="5xx"}', 'http_answers_total{status="5XX"}'),
        ),
        (
            "http_answers_total: status is never 50x",
            replacing("dashboard", "4xx|5xx", "4xx|50x"),
        ),
        (
            "kube_horizontalpodautoscaler_status_current_replicas: horizontalpodautoscaler is never .*worker.*",
            replacing("rules", ".*processor.*", ".*worker.*"),
        ),
        ("ALERTS: alertname is never WayBill.*", replacing("dashboard", "Waybill.*", "WayBill.*")),
    ],
)
def test_a_metric_that_nobody_has_is_named(
    files: Files, scraped: dict[str, dict[str, set[str]]], complaint: str, breaking: Break
) -> None:
    assert complaint in set(breaking(files).complaints_about_metrics(scraped))


def test_gauges_of_the_whole_system_are_never_added_up(files: Files) -> None:
    assert len(files.of_the_whole_system()) > 8
    assert_none(files.complaints_about_sums())

    broken = replacing("rules", "max(download_queue_depth) +", "sum(download_queue_depth) +")(files)
    assert [line for line in broken.complaints_about_sums() if line.startswith("download_queue_depth in ")]


def test_page_of_metrics_has_exactly_what_the_processes_show(
    files: Files, scraped: dict[str, dict[str, set[str]]]
) -> None:
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in scraped if not OF_PYTHON.match(name)}

    assert files.documented() == families


def test_page_of_the_service_level_quotes_the_rules_that_are_shipped(files: Files) -> None:
    page = (ROOT / "docs" / "service-level.md").read_text(encoding="utf-8")
    of_rule = {rule["record"]: rule["expr"] for rule in files.all_rules() if "record" in rule}

    quoted = re.findall(r"```promql\n(.*?)\n```", page, re.DOTALL)

    assert quoted == [of_rule["waybill:jobs_late:ratio_rate1h"], of_rule["waybill:service_level:ratio_30d"]]


# ── the dashboard ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_panels_have_a_unit_a_legend_the_chosen_data_source_and_a_place_of_their_own(files: Files) -> None:
    assert len(files.panels()) > 20
    assert_none(files.complaints_about_panels())


@pytest.mark.parametrize(
    ("complaint", "breaking"),
    [
        ("Calls: unit", replacing("dashboard", '"unit": "reqps"', '"unit": ""')),
        (
            "Ended within the deadline, 30 days: data source",
            replacing("dashboard", OF_FIRST_PANEL, OF_FIRST_PANEL.replace("${datasource}", "abc")),
        ),
        (
            "Late, of all ends: on the place of Ended within the deadline, 30 days",
            replacing("dashboard", '"x": 8,', '"x": 0,'),
        ),
    ],
)
def test_a_panel_that_lacks_something_is_named(files: Files, complaint: str, breaking: Break) -> None:
    assert complaint in set(breaking(files).complaints_about_panels())


def test_reading_of_promql() -> None:
    expression = (
        'histogram_quantile(0.99, sum by (le, call) (rate(a_bucket{call=~"x|y",s!="b}"}[5m]))) > 1e9 '
        "and on(instance) max(b offset 1h) or absent(rule:c) == bool 0"
    )

    assert list(selectors(expression.replace("b}", "b"))) == [
        Selector("a_bucket", (Matcher("call", "=~", "x|y"), Matcher("s", "!=", "b"))),
        Selector("b", ()),
        Selector("rule:c", ()),
    ]


def test_branches_of_a_regex_are_asked_for_one_by_one() -> None:
    assert Matcher("call", "!~", "x|y.*").alternatives == ["x", "y.*"]
    assert Matcher("call", "=", "x|y.").alternatives == [r"x\|y\."]


def test_the_alert_on_memory_comes_before_the_limit_of_the_pods(files: Files) -> None:
    [threshold] = re.findall(r"process_resident_memory_bytes.* > ([0-9.e]+)$", files.rules, re.MULTILINE)
    base = ROOT / "deploy" / "k8s" / "base"
    texts = [(base / name).read_text(encoding="utf-8") for name in ("gateway.yaml", "processor.yaml")]
    limits_mib = [int(mib) for text in texts for mib in re.findall(r"limits:\n(?:\s+#.*\n)*\s+memory: (\d+)Mi", text)]

    assert len(limits_mib) == len(texts)
    assert float(threshold) < 0.9 * min(limits_mib) * 2**20
