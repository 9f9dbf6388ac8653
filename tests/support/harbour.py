"""People with credentials, and what they do at a system that asks who calls."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from tests.support import cargo
from tests.support.service import environment
from tests.support.system import JOBS, System
from tests.support.tokens import claims, private_key, signed
from tests.support.waiting import until


class Person(NamedTuple):
    """Somebody with a credential; `key_id` is that of an API key."""

    credential: str
    key_id: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Give what they send with each call."""
        return {"Authorization": f"Bearer {self.credential}"}


class Harbour:
    """A system that asks who calls, and the people who call."""

    def __init__(self, system: System, http: httpx.Client) -> None:
        self.system = system
        self.anna, self.bert = self.new_key("anna"), self.new_key("bert")
        self._http = http

    def new_key(self, owner: str, *options: str) -> Person:
        """Make an API key, as an operator does."""
        api_key = self.keys("create", "--owner", owner, *options).stdout.strip()
        return Person(api_key, api_key.split("_")[1])

    def keys(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command about keys."""
        command = [sys.executable, "-m", "gateway", "keys", *arguments]
        settings = environment({"REDIS_URL": self.system.redis.url})
        return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60, check=True)

    def token(self, owner: str = "anna", **more: object) -> Person:
        """Give a token of the issuer."""
        return Person(signed(claims(owner) | more, private_key("ES256"), "ES256", kid="e"))

    def call(
        self,
        method: str,
        path: str,
        person: Person | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Make one call; its id is always the same, so that answers can be compared as wholes."""
        sent = {"X-Request-Id": "a-call"} | dict(headers or {}) | (person.headers if person else {})
        return self._http.request(method, self.system.url + path, headers=sent, **more)

    def create(self, person: Person, *files: cargo.SourceFile, key: str = "") -> httpx.Response:
        """Ask for a bundle."""
        headers = {"Idempotency-Key": key} if key else {}
        return self.call("POST", JOBS, person, headers, json={"file_ids": cargo.ids_of(*files)})

    def record(self, path: str, person: Person) -> dict[str, Any]:
        """Read a job."""
        shown: dict[str, Any] = self.call("GET", path, person).json()
        return shown

    def completed(self, person: Person) -> str:
        """Create a job and wait until it has completed; give its path."""
        path: str = self.create(person, cargo.MIXED[0]).headers["location"]
        until(lambda: self.record(path, person)["status"] == "completed", f"{path} completes")
        return path

    def log_text(self) -> str:
        """Read everything that all processes have logged."""
        return "".join(service.log_path.read_text() for service in (*self.system.gateways, *self.system.processors))
