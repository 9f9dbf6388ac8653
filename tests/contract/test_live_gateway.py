"""schemathesis asks a live gateway what its document allows and what it forbids: positive and negative data, links."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway.contract.calls import CALLS, LIST_FILES, READ_DOCUMENT
from gateway.contract.event_calls import STREAM_JOB, STREAM_JOBS
from tests.architecture.source_tree import ROOT
from tests.support.system import System

SETTINGS = {"WAYBILL_CATALOGUE": "hook:tests.contract.every_id:find", "WAYBILL_COPY_RATE_BYTES_PER_SECOND": "0"}
ASKED = [call for call in CALLS if call not in (STREAM_JOB, STREAM_JOBS, READ_DOCUMENT)]
"""All calls but the streams, and the document, which schemathesis has read by then and leaves alone."""
SEED = os.environ.get("SEED", "7")
WITHIN_SECONDS = 110


def test_gateway_answers_as_its_document_says_whatever_it_is_asked(tmp_path: Path) -> None:
    ask(tmp_path, SETTINGS, calls=len(ASKED))


def test_files_are_listed_as_the_document_says_whatever_is_asked(tmp_path: Path) -> None:
    """The catalogue of the other test lists nothing: it is a hook."""
    only = [f"--include-path={LIST_FILES.path}", "--phases=coverage,fuzzing"]  # no link leads there

    ask(tmp_path, {"WAYBILL_LIST_FILES": "true"}, *only, calls=2)


def ask(home: Path, settings: Mapping[str, str], *only: str, calls: int) -> None:
    """Let schemathesis ask so many calls of a gateway of its own; fail with what it finds."""
    with System(home / "system", settings=settings) as system:
        run = subprocess.run(  # its exit code is what is judged below
            command(system.url, *only),
            check=False,
            cwd=home,  # it keeps notes where it is started
            env=environment(),
            capture_output=True,
            text=True,
            timeout=WITHIN_SECONDS,
        )
        troubles = [line for line in system.gateways[0].log_lines() if line["level"] in ("error", "critical")]

    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    assert f" {calls} selected " in run.stdout, run.stdout
    assert troubles == []


def command(url: str, *only: str) -> list[str]:
    """Give the command line of a run against a gateway."""
    program = Path(sys.executable).with_name("schemathesis")
    config = str(ROOT / "tests/contract/schemathesis.toml")
    return [str(program), "--no-color", "--config-file", config, "run", f"{url}/openapi.json", "--seed", SEED, *only]


def environment() -> dict[str, str]:
    """Give schemathesis our checks, and a terminal that breaks no line."""
    return os.environ | {"SCHEMATHESIS_HOOKS": "tests.contract.checks", "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
