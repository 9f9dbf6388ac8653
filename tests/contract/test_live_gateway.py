"""schemathesis asks a live gateway what its document allows and what it forbids: positive and negative data, links."""

import os
import subprocess
import sys
from pathlib import Path

from gateway.contract.calls import CALLS, READ_DOCUMENT, STREAM_JOB
from tests.architecture.source_tree import ROOT
from tests.support.system import System

SETTINGS = {"WAYBILL_CATALOGUE": "hook:tests.contract.every_id:find", "WAYBILL_COPY_RATE_BYTES_PER_SECOND": "0"}
ASKED = [call for call in CALLS if call is not STREAM_JOB and call is not READ_DOCUMENT]
"""All calls but the stream, and the document, which schemathesis has read by then and leaves alone."""
SEED = os.environ.get("SEED", "7")
WITHIN_SECONDS = 110


def test_gateway_answers_as_its_document_says_whatever_it_is_asked(tmp_path: Path) -> None:
    with System(tmp_path / "system", settings=SETTINGS) as system:
        run = subprocess.run(  # its exit code is what is judged below
            command(system.url),
            check=False,
            cwd=tmp_path,  # it keeps notes where it is started
            env=environment(),
            capture_output=True,
            text=True,
            timeout=WITHIN_SECONDS,
        )
        troubles = [line for line in system.gateways[0].log_lines() if line["level"] in ("error", "critical")]

    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    assert f" {len(ASKED)} selected " in run.stdout, run.stdout
    assert troubles == []


def command(url: str) -> list[str]:
    """Give the command line of a run against a gateway."""
    program = Path(sys.executable).with_name("schemathesis")
    config = str(ROOT / "tests/contract/schemathesis.toml")
    return [str(program), "--no-color", "--config-file", config, "run", f"{url}/openapi.json", "--seed", SEED]


def environment() -> dict[str, str]:
    """Give schemathesis our checks, and a terminal that breaks no line."""
    return os.environ | {"SCHEMATHESIS_HOOKS": "tests.contract.checks", "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
