"""What is installed is complete: what the code reads travels along (scripts, chapters, styles), tests stay at home."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.architecture.source_tree import ROOT


def test_wheel_holds_every_module_and_script(tmp_path: Path) -> None:
    build = f"import hatchling.build as backend; backend.build_wheel({str(tmp_path)!r})"

    subprocess.run([sys.executable, "-c", build], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    [wheel] = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in ("gateway", "processor", "shared")
        for pattern in ("*.py", "*.lua", "*.md", "*.css")
        for path in (ROOT / package).rglob(pattern)
    }
    assert {name for name in packed if name.endswith((".py", ".lua", ".md", ".css"))} == wanted
