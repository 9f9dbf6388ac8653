"""Handlers of somebody else's, in real processes."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from tests.support import cargo
from tests.support.service import Service
from tests.support.system import QUICK_LEASE, System
from tests.support.waiting import until

DOCS = Path(__file__).resolve().parents[2] / "docs" / "handlers.md"
STALLED = 70

NEVER_YIELDS = """
async def handle(job, context):
    while True:
        pass
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory for modules of handlers."""
    directory = tmp_path / "code"
    directory.mkdir()
    return directory


def start_processor(system: System, code: Path, handler: str) -> Service:
    """Start a processor with a handler from the directory."""
    return system.start("processor", WAYBILL_HANDLER=handler, PYTHONPATH=str(code))


def test_the_handler_in_the_docs_makes_a_report_with_progress_and_a_link(tmp_path: Path, code: Path) -> None:
    block, _, _ = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (code / "reports.py").write_text(block, encoding="utf-8")

    with System(tmp_path, processors=0) as system:
        start_processor(system, code, "reports:handle")
        path = system.create_job(*cargo.MIXED)
        record = system.wait_for_end(path)
        answer = system.get(f"{path}/file")

    assert record["status"] == "completed"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        lines = archive.read("report.csv").decode().splitlines()
    assert [int(line.split(",")[0]) for line in lines[1:]] == cargo.ids_of(*cargo.MIXED)
    assert (record["files_processed"], record["archive_bytes"]) == (len(cargo.MIXED), len(answer.content))


def test_a_handler_that_never_yields_ends_its_processors_and_then_its_job_but_no_other(
    tmp_path: Path, code: Path
) -> None:
    (code / "endless.py").write_text(NEVER_YIELDS, encoding="utf-8")

    with System(tmp_path, processors=0, settings=QUICK_LEASE) as system:
        path = system.create_job(*cargo.MIXED)
        for _ in range(3):
            victim = start_processor(system, code, "endless:handle")
            assert victim.exit_code() == STALLED
            assert path.rpartition("/")[2] in victim.log_path.read_text(encoding="utf-8")
        healthy = system.start("processor")
        record = system.wait_for_end(path)
        other = system.wait_for_end(system.create_job(*cargo.MIXED))

        assert (record["status"], record["error"]["code"]) == ("failed", "CRASHED")
        assert other["status"] == "completed"
        until(lambda: healthy.metric("download_dead_letters") == 1, "the dead letter is counted")
