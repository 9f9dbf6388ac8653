"""deploy/cloudflare fits its provider, keeps no secret, and limits no viewer who comes back."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source_tree import assert_none
from tests.deploy import cloudflare_schema
from tests.deploy.cloudflare_schema import SCHEMA, TERRAFORMS_OWN
from tests.deploy.edge_files import (
    ARCHIVES,
    CLOUDFLARE,
    ROOT,
    STREAMS,
    TERRAFORM,
    api_paths,
    expression_matcher,
    read,
    resources,
    terraform,
)  # fmt: skip
from tests.deploy.test_edge import broken

CREATES = "/v1/download/jobs"
PLANS = ("free", "pro", "business", "enterprise")
TRAFFIC = read(f"{CLOUDFLARE}/traffic.tf")


def whole(*changes: tuple[str, str]) -> str:
    """Give all files as one text, with words in the place of others."""
    text = "\n".join(read(name) for name in TERRAFORM)
    for before, after in changes:
        text = broken(text, before, after)
    return text


def rules(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every rule with its ruleset's phase; those that stand in a local, too."""
    local_lists = {
        name: at for block in terraform(text)["locals"] for name, at in block.items() if isinstance(at, list)
    }
    for kind, _, body in resources(text):
        if kind == "cloudflare_ruleset":
            listed = body["rules"]
            if isinstance(listed, str):
                [name] = re.findall(r"local\.(\w+)", listed)
                listed = local_lists[name]
            yield from ((body["phase"], rule) for rule in listed)


# ── the provider ──────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(text: str) -> Iterator[str]:
    """What the provider would refuse."""
    for kind, name, body in resources(text):
        if kind not in SCHEMA:
            yield f"{kind} is not known here"
            continue
        own = {at: value for at, value in body.items() if at not in TERRAFORMS_OWN}
        yield from cloudflare_schema.breaches(f"{kind}.{name}", own, SCHEMA[kind])
    for _, rule in rules(text):
        yield from cloudflare_schema.breaches(rule.get("ref", "?"), rule, SCHEMA["cloudflare_ruleset"]["rules"][0])


def test_the_provider_knows_everything_that_we_ask_for() -> None:
    assert_none(refused(whole()))
    assert len(list(rules(whole()))) == 12


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"http_response_compression"', '"http_response_compresion"'),
        ("response_body_buffering = ", "response_buffering = "),
        ('response_body_buffering = "none"', 'response_body_buffering = "off"'),
        ('{ name = "none" }', '{ name = "identity" }'),
        ("cache = false", 'cache = "off"'),
        ('action      = "compress_response"', ""),
        ('kind    = "zone"', 'type    = "zone"'),
        ('operation = "set", value = "no"', 'value = "no"'),
        ("mitigation_timeout  = 10", 'mitigation_timeout  = "10s"'),
        ("keep_alive_timeout     = 60", 'keep_alive_timeout     = "60s"'),
        ("ttl     = 1 ", "lifetime = 1 "),
        ('"cloudflare_dns_record"', '"cloudflare_record"'),
        ("  zone_id    = var.zone_id\n  setting_id", "  setting_id"),
        ('"securityLevel"]', '"security_level"]'),
    ],
)
def test_what_the_provider_would_refuse_is_seen(before: str, after: str) -> None:
    assert list(refused(whole((before, after))))


def test_versions_are_pinned_to_the_one_whose_schema_is_known() -> None:
    [block] = terraform(read(f"{CLOUDFLARE}/versions.tf"))["terraform"]

    [providers] = block["required_providers"]
    assert providers["cloudflare"] == {"source": "cloudflare/cloudflare", "version": cloudflare_schema.PROVIDER_VERSION}
    assert "1.9.0" in block["required_version"]


def terraform_program() -> str:
    """Give Terraform, or OpenTofu, which reads the same files and says the same; without either the test is skipped."""
    if program := shutil.which("terraform") or shutil.which("tofu"):
        return program
    pytest.skip(
        "neither terraform nor tofu is here, and no package index has them: what they say themselves is not seen"
    )


def test_the_files_are_formatted_as_terraform_would() -> None:
    checked = subprocess.run(
        [terraform_program(), "fmt", "-check", "-diff", str(ROOT / CLOUDFLARE)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


# ── what it must do ───────────────────────────────────────────────────────────────────────────────────────────────────


def faults(text: str) -> Iterator[str]:
    """What the rules must do and do not."""
    found = {rule["ref"]: rule for _, rule in rules(text)}
    parameters = {ref: rule.get("action_parameters", {}) for ref, rule in found.items()}
    expected: list[tuple[str, str, str, Any]] = [
        ("waybill_api_not_cached", "is_api", "cache", False),
        ("waybill_api_not_held_back", "is_api", "response_body_buffering", "none"),
        ("waybill_api_not_held_back", "is_api", "security_level", "essentially_off"),
        ("waybill_api_not_challenged", "is_api", "products", ["bic", "hot", "securityLevel"]),
        ("waybill_streams_and_archives_plain", "is_stream_path", "algorithms", [{"name": "none"}]),
    ]
    for ref, scope, name, value in expected:
        if parameters[ref].get(name) != value:
            yield f"{ref}: {name} is {parameters[ref].get(name)!r}"
        if f"local.{scope}" not in found[ref]["expression"]:
            yield f"{ref} is not for {scope}"
    if parameters["waybill_https"]["from_value"]["status_code"] != 308:
        yield "a POST by HTTP becomes a GET"
    if any(rule["action"] in ("challenge", "js_challenge", "managed_challenge") for rule in found.values()):
        yield "something is challenged"
    [bots] = [body for kind, _, body in resources(text) if kind == "cloudflare_bot_management"]
    if bots["fight_mode"] is not False:
        yield "Bot Fight Mode is on"


def test_nothing_of_the_api_is_cached_held_back_compressed_or_challenged() -> None:
    assert_none(faults(whole()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cache = false", "cache = true"),
        ('response_body_buffering = "none"', 'response_body_buffering = "standard"'),
        ('{ name = "none" }', '{ name = "auto" }'),
        ("status_code           = 308", "status_code           = 301"),
        ("fight_mode = false", "fight_mode = true"),
        ('action      = "block"', 'action      = "managed_challenge"'),
        ('security_level          = "essentially_off"', 'security_level          = "high"'),
    ],
)
def test_a_rule_that_does_otherwise_is_seen(before: str, after: str) -> None:
    assert list(faults(whole((before, after))))


@pytest.mark.parametrize("plan", PLANS)
def test_no_stream_and_no_archive_counts_against_a_rate_limit(plan: str) -> None:
    limited = [expression_matcher(TRAFFIC, name, plan=plan, method="GET") for name in ("is_create", "is_limited_call")]

    counted = [path for path in api_paths() if any(matcher(path) for matcher in limited)]

    assert not set(counted) & (STREAMS | ARCHIVES)


@pytest.mark.parametrize("plan", PLANS)
def test_creates_are_limited_on_every_plan(plan: str) -> None:
    created = expression_matcher(TRAFFIC, "is_create", plan=plan, method="POST")

    assert [path for path in sorted(api_paths()) if created(path)] == [CREATES]


def test_a_rate_limit_that_counts_streams_is_seen() -> None:
    limited = expression_matcher(broken(TRAFFIC, " and not ${local.is_stream_path}", ""), "is_limited_call")

    assert [path for path in STREAMS if limited(path)]


def test_the_free_plan_s_only_rate_limit_looks_at_nothing_but_the_path() -> None:
    assert expression_matcher(TRAFFIC, "is_create", plan="free", host="another.example.org")(CREATES)


# ── secrets, and what is asked of operators ───────────────────────────────────────────────────────────────────────────


def secrets(text: str) -> Iterator[str]:
    """Attributes that hold a secret, or would bring one into the state."""
    for name in re.findall(r"^\s*(\w*(?:token|secret|password|api_key)\w*)\s*=", text, re.MULTILINE):
        yield f"{name} is set"
    for kind in re.findall(r'^data "(\w+_token)"', text, re.MULTILINE):
        yield f"{kind} is read into the state"


def test_no_secret_is_in_a_file_or_comes_into_the_state() -> None:
    assert_none([*secrets(whole()), *secrets(read(f"{CLOUDFLARE}/terraform.tfvars.example"))])


@pytest.mark.parametrize(
    "text",
    ['  api_token = "x"', "  tunnel_secret = var.x", 'data "cloudflare_zero_trust_tunnel_cloudflared_token" "x" {'],
)
def test_a_secret_is_seen(text: str) -> None:
    assert list(secrets(text))


def unexplained(text: str) -> Iterator[str]:
    """Variables without a description, a type or a check of what they are given; outputs without a description."""
    for block in terraform(text).get("variable", []):
        for name, body in block.items():
            yield from (f"variable {name} has no {part}" for part in ("description", "type") if not body.get(part))
            if not body.get("validation"):
                yield f"variable {name} takes anything"
    for block in terraform(text).get("output", []):
        yield from (f"output {name} has no description" for name, body in block.items() if not body.get("description"))


def test_every_variable_is_explained_and_checked() -> None:
    assert_none(unexplained(whole()))


@pytest.mark.parametrize("text", ['variable "x" {\n  type = string\n}\n', 'output "x" {\n  value = 1\n}\n'])
def test_a_variable_that_takes_anything_is_seen(text: str) -> None:
    assert list(unexplained(text))


def test_the_example_sets_every_variable_that_has_no_default() -> None:
    needed = {
        name
        for block in terraform(read(f"{CLOUDFLARE}/variables.tf"))["variable"]
        for name, body in block.items()
        if "default" not in body
    }

    assert needed <= set(terraform(read(f"{CLOUDFLARE}/terraform.tfvars.example")))


@pytest.fixture
def variables(tmp_path: Path) -> Path:
    """A directory with the variables alone, as the example sets them: they are checked without the provider."""
    for name in ("variables.tf", "traffic.tf"):
        (tmp_path / name).write_text(read(f"{CLOUDFLARE}/{name}"))
    (tmp_path / "terraform.tfvars").write_text(read(f"{CLOUDFLARE}/terraform.tfvars.example"))
    return tmp_path


def planned(home: Path) -> "subprocess.CompletedProcess[str]":
    """Let Terraform plan what is in a directory."""
    command = [terraform_program(), f"-chdir={home}", "plan", "-input=false", "-no-color"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_terraform_takes_the_example(variables: Path) -> None:
    taken = planned(variables)

    assert taken.returncode == 0, taken.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("account_id", '"0123"'),
        ("zone_id", '"not-an-id"'),
        ("plan", '"gold"'),
        ("hostname", '"https://waybill.example.org"'),
        ("gateway_url", '"waybill-gateway:80"'),
        ("downloads", '{ hostname = "waybill.example.org", target = "minio.example.net" }'),
        ("hsts_seconds", "-1"),
        ("creates_per_10_seconds", "1"),
        ("calls_per_10_seconds", "10.5"),
    ],
)
def test_terraform_refuses_what_a_variable_must_not_be(variables: Path, variable: str, value: str) -> None:
    (variables / "wrong.auto.tfvars").write_text(f"{variable} = {value}\n")

    refused_plan = planned(variables)

    assert refused_plan.returncode == 1
    assert "Invalid value for variable" in refused_plan.stderr
