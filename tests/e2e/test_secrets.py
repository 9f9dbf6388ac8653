"""No value of a secret setting leaves a program: not by its log, its help, its complaints, its metrics, its answers."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.environment import load
from shared.programs import PROGRAMS
from shared.setting import Setting, settings_of
from tests.support.local_http import local_client
from tests.support.ports import free_ports
from tests.support.service import Service, environment
from tests.support.system import JOBS
from tests.support.waiting import until

SENTINEL = "SENTINEL0123456789abcdefSENTINEL"
"""In every secret; long enough for each of them."""
JOB_ID = "00000000-0000-8000-8000-000000000000"


def secret_settings(program: str) -> list[Setting]:
    """Give the settings of a program that are secret."""
    return [setting for setting in settings_of(PROGRAMS[program]) if setting.is_secret]


def value_of(setting: Setting) -> str:
    """Give a secret setting a value that it takes."""
    begin = "https://127.0.0.1/" if (setting.example or "").startswith("http") else ""
    begin = "2026-11:" if setting.field == "ticket_secrets" else begin
    if setting.field == "callback_secrets":
        return f"whsec_{SENTINEL}"
    return f"{begin}{SENTINEL}-{setting.field.replace('_', '-')}"


def secrets_of(program: str) -> dict[str, str]:
    """Give each secret setting a value that holds the sentinel, and so the passwords in URLs."""
    [closed_port] = free_ports(1)
    secrets = {setting.variable: value_of(setting) for setting in secret_settings(program)}
    endpoint = f"endpoint=http://127.0.0.1:{closed_port}&style=path&region=us-east-1"
    return (
        secrets
        | {
            "REDIS_URL": f"redis://waybill:{SENTINEL}-in-url@127.0.0.1:{closed_port}/0",
            "WAYBILL_SOURCES_URL": f"s3://originals?{endpoint}",
            "WAYBILL_OBJECTS_URL": f"s3://bundles?{endpoint}",
        }
        | ({"WAYBILL_AUTH": "keys,jwt"} if program == "gateway" else {})
    )


def run(program: str, settings: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that ends by itself."""
    command = [sys.executable, "-m", program, *arguments]
    return subprocess.run(command, env=environment(settings), capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_has_secrets_that_this_test_knows(program: str) -> None:
    assert {"redis_password", "objects_secret_access_key"} <= {setting.field for setting in secret_settings(program)}


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_shows_no_secret(program: str) -> None:
    ended = run(program, secrets_of(program), "--help")

    assert ended.returncode == 0
    assert SENTINEL not in ended.stdout + ended.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_complaint_about_other_settings_shows_no_secret(program: str) -> None:
    ended = run(program, secrets_of(program) | {"WAYBILL_ADMIN_PORT": "many", "WAYBILL_LOG_LEVEL": "loud"})

    assert ended.returncode == 2
    assert "WAYBILL_ADMIN_PORT" in ended.stderr
    assert SENTINEL not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("program", "setting"),
    [(program, setting) for program in PROGRAMS for setting in secret_settings(program)],
    ids=lambda part: part if isinstance(part, str) else part.field,
)
def test_complaint_about_a_secret_itself_does_not_show_it(program: str, setting: Setting) -> None:
    """One with a line break in it, which some of them refuse; whoever takes it complains about the port."""
    wrong = {setting.variable: f"{SENTINEL}\n\t x", "WAYBILL_ADMIN_PORT": "many", "REDIS_URL": "redis://127.0.0.1/0"}

    ended = run(program, wrong)

    assert ended.returncode == 2
    assert SENTINEL not in ended.stdout + ended.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_settings_that_end_in_a_traceback_show_no_secret(program: str) -> None:
    settings: Any = load(PROGRAMS[program], secrets_of(program))

    assert SENTINEL not in repr(settings) + str(settings) + f"{settings}"


@pytest.fixture(params=PROGRAMS)
def in_trouble(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """Each program with all its secrets, whose Redis and stores are not there: the most that it has to complain of."""
    program: str = request.param
    port, admin_port = free_ports(2)
    settings = secrets_of(program) | {
        "WAYBILL_PORT": str(port),
        "WAYBILL_ADMIN_PORT": str(admin_port),
        "WAYBILL_LOG_LEVEL": "debug",
        "WAYBILL_CATALOGUE": "template:files/{file_id}",
        "WAYBILL_STOP_GRACE_SECONDS": "30",
    }
    started = Service(program, settings, tmp_path / "log")
    yield started
    started.close()


def test_program_in_trouble_shows_no_secret(in_trouble: Service) -> None:
    until(in_trouble.is_alive_and_unready, "it serves, and says that it is not ready")
    until(lambda: "objects" in in_trouble.log_path.read_text(), "it complains of its stores")
    shown = [in_trouble.ask(path).text for path in ("/readyz", "/metrics", "/livez")]
    if "WAYBILL_AUTH" in in_trouble.settings:
        with local_client() as http:
            for credential in (f"wb_{'0' * 16}_{SENTINEL.lower()}", SENTINEL, f"{SENTINEL}.e30.x"):
                answer = http.get(in_trouble.url + JOBS, headers={"Authorization": f"Bearer {credential}"})
                assert answer.status_code in (401, 503)
                shown += [answer.text, repr(answer.headers)]
    in_trouble.terminate()
    in_trouble.exit_code()

    assert "refused" in "".join(shown) or "Redis" in "".join(shown)
    assert SENTINEL not in "".join(shown)
    log = in_trouble.log_path.read_text()
    assert "Redis" in log or "redis" in log
    assert SENTINEL not in log
    assert SENTINEL.lower() not in log


def test_caller_hears_nothing_of_the_redis_that_is_not_there(tmp_path: Path) -> None:
    closed_port, port, admin_port = free_ports(3)
    settings = {
        "REDIS_URL": f"redis://127.0.0.1:{closed_port}/0",
        "WAYBILL_PORT": str(port),
        "WAYBILL_ADMIN_PORT": str(admin_port),
        "WAYBILL_CATALOGUE": "template:files/{file_id}",
        "WAYBILL_SOURCES_DIR": str(tmp_path / "sources"),
        "WAYBILL_OBJECTS_DIR": str(tmp_path / "objects"),
    }
    gateway = Service("gateway", settings, tmp_path / "log")
    try:
        until(gateway.is_alive_and_unready, "it serves")
        with local_client() as http:
            answers = [http.get(gateway.url + JOBS), http.get(f"{gateway.url}{JOBS}/{JOB_ID}")]
    finally:
        gateway.close()

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "REDIS_UNAVAILABLE")
        assert answer.headers["retry-after"]
        for inside in (str(closed_port), "127.0.0.1", "Redis", "refused", "Errno"):
            assert inside not in answer.json()["detail"]
