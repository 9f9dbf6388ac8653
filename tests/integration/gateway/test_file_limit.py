"""How many files a gateway may open: a process of its own, whose limit cannot be raised any more."""

import json
import subprocess
import sys

HELD_DOWN = """
import resource
from gateway.file_limit import raise_file_limit
from shared.telemetry.logging import configure_logging

configure_logging("gateway", level="info")
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
raise_file_limit(50)
raise_file_limit(1_000)
"""


def test_too_few_files_are_a_line_that_names_the_variable_and_both_numbers() -> None:
    ended = subprocess.run([sys.executable, "-c", HELD_DOWN], capture_output=True, check=True, timeout=60)

    [line] = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (line["event"], line["level"]) == ("too few files for the streams", "warning")
    assert (line["variable"], line["max_streams"], line["file_limit"]) == ("WAYBILL_MAX_STREAMS", 1_000, 300)
