"""What is installed is complete: what the code reads travels along (scripts, chapters, styles), tests stay at home."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.architecture.source_tree import ROOT


def packed_names(root: Path, directory: Path) -> set[str]:
    """Build a tree's wheel into a directory; give the names of the files that are in it."""
    build = f"import hatchling.build as backend; backend.build_wheel({str(directory)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=root, check=True, stdout=subprocess.DEVNULL)
    [wheel] = directory.glob("*.whl")
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_wheel_holds_every_module_and_script(tmp_path: Path) -> None:
    packed = packed_names(ROOT, tmp_path)
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in ("gateway", "processor", "shared")
        for pattern in ("*.py", "*.lua", "*.md", "*.css")
        for path in (ROOT / package).rglob(pattern)
        if ROOT / "gateway" / "web" not in path.parents
    }

    assert {name for name in packed if name.endswith((".py", ".lua", ".md", ".css")) and "/web/" not in name} == wanted


def test_wheel_holds_the_page_where_it_was_built_and_nothing_that_it_is_built_from(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tree)
    for package in ("gateway", "processor", "shared"):
        skipped = shutil.ignore_patterns("node_modules", "dist", "__pycache__")
        shutil.copytree(ROOT / package, tree / package, ignore=skipped)
    page_dir = tree / "gateway" / "web" / "dist" / "page" / "assets"
    page_dir.mkdir(parents=True)
    (page_dir / "index-1a2b.js").write_text("built", encoding="utf-8")
    (page_dir.parent / "index.html").write_text("built", encoding="utf-8")

    packed = packed_names(tree, tmp_path)

    of_the_page = {name for name in packed if name.startswith("gateway/web/")}
    assert of_the_page == {"gateway/web/dist/page/index.html", "gateway/web/dist/page/assets/index-1a2b.js"}
