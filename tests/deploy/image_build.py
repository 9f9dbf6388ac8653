"""Does what `docker build` would do of our Dockerfile, into a directory: COPY copies, RUN runs, without an engine.

What it cannot show is the base image: the Python is this machine's, and the paths are below a directory.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.source_tree import ROOT
from tests.deploy.dockerfile import Dockerfile, Instruction, Stage
from tests.deploy.image_rules import context_files, parts_of_copy

BUILT_PAGE = ROOT / "gateway" / "web" / "dist" / "page"
SYSTEM_PYTHON = Path("/usr/bin/python3")
ENVIRONMENT = "/opt/waybill"
RUN_WITHIN_SECONDS = 300.0


def python_for_everybody() -> str:
    """Give a Python that a user without rights can run: ours is often in somebody's home, which only they enter."""
    base = Path(sys.executable).resolve()
    if all(folder.stat().st_mode & 0o001 for folder in base.parents):
        return str(base)
    asked = [str(SYSTEM_PYTHON), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    is_new_enough = SYSTEM_PYTHON.exists() and subprocess.run(asked, check=False).returncode == 0
    return str(SYSTEM_PYTHON if is_new_enough else base)


def environment_with_uv() -> dict[str, str]:
    """Give the environment of a command that finds our uv, and that Python by it."""
    own_bin = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{own_bin}:{os.environ['PATH']}", "UV_PYTHON": python_for_everybody()}


class ImageBuild:
    """The stages that make the environments of both programs, in a directory that everybody can read.

    `page` is not among them: `make page` is the same command, and its result is taken.
    """

    def __init__(self, dockerfile: Dockerfile, place: Path, ignored: str) -> None:
        self.place = place
        self._dockerfile = dockerfile
        self._source = place / "src"
        self._sent = context_files(ROOT, ignored)

    @property
    def wheel(self) -> Path:
        """The wheel that was built."""
        [wheel] = (self._source / "dist").glob("*.whl")
        return wheel

    def environment(self, program: str) -> Path:
        """Where a program was installed."""
        return self.place / "opt" / program

    def build(self) -> None:
        """Build the wheel, and install it for each program."""
        self._make(self._dockerfile.stages["wheel"], "")
        for program in ("gateway", "processor"):
            self._make(self._dockerfile.stages[f"{program}-installed"], program)

    def _make(self, stage: Stage, program: str) -> None:
        for instruction in stage.instructions:
            if instruction.name == "COPY":
                self._copy(instruction)
            elif instruction.name == "RUN":
                self._run(instruction, program)

    def _copy(self, copy: Instruction) -> None:
        origin, sources, target = parts_of_copy(copy)
        if origin == "page":
            shutil.copytree(BUILT_PAGE, self._source / target)
            return
        for path in self._sent:
            for source in sources:
                if path == source or path.startswith(f"{source.rstrip('/')}/"):
                    inside = Path(path).name if path == source else path[len(source) :].lstrip("/")
                    to = self._source / target / inside
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / path, to)

    def _run(self, run: Instruction, program: str) -> None:
        # uv is in this environment already; that pip would take the locked one is seen without installing it.
        command = run.words if run.text.startswith("[") else ["sh", "-e", "-c", f"{run.text} --dry-run --quiet"]
        command = [str(self.environment(program)) if word == ENVIRONMENT else word for word in command]
        done = subprocess.run(
            command,
            cwd=self._source,
            env=environment_with_uv(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_WITHIN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
