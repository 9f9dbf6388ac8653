"""Runs deploy/docker/secrets.sh on a copy, as somebody would who follows docs/docker.md."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.architecture.source_tree import ROOT

SCRIPT = "sh deploy/docker/secrets.sh"


def made_secrets(checkout: Path, script: str = SCRIPT) -> dict[str, str]:
    """Run the script in a copy of a checkout; give what .env has then."""
    for name in ("docker/secrets.sh", "local/users.acl"):
        (checkout / "deploy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "deploy" / name, checkout / "deploy" / name)
    subprocess.run(["sh", "-e", "-c", script], cwd=checkout, timeout=60, check=True)
    written = (checkout / "deploy" / "docker" / ".env").read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in written.splitlines())


def remade_users(checkout: Path, secrets: Mapping[str, str]) -> str:
    """Give the rules of Redis that are made of these secrets."""
    environment = checkout / "deploy" / "docker" / ".env"
    environment.parent.mkdir(parents=True, exist_ok=True)
    environment.write_text("".join(f"{name}={text}\n" for name, text in secrets.items()), encoding="utf-8")
    made_secrets(checkout)
    return (environment.parent / "users.acl").read_text(encoding="utf-8")
