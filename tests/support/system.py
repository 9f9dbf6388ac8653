"""A whole Waybill of real processes over a directory of its own: Redis, gateways, processors, sources, a store.

With `buckets` the sources and the store are in S3, in place of the directory. `alterations` are altered.py's, of all
processes that are not started with others.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import httpx

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared.jobstore import keys
from tests.support import cargo
from tests.support.buckets import Buckets
from tests.support.local_http import local_client
from tests.support.ports import free_ports
from tests.support.promised import insist_on_promise
from tests.support.service import Service
from tests.support.waiting import until

JOBS = "/v1/download/jobs"
TERMINAL = ("completed", "failed", "cancelled")
CALLBACKS_TO_LOOPBACK = {
    "WAYBILL_CALLBACK_HTTP": "true",
    "WAYBILL_CALLBACK_PORTS": "1-65535",
    "WAYBILL_CALLBACK_NETWORKS": "127.0.0.1",
    "WAYBILL_CALLBACK_SECRETS": "whsec_" + "A" * 40,
}
"""For tests whose receiver is on this machine, where callbacks may not go by themselves."""
QUICK_LEASE = {"WAYBILL_LEASE_MS": "2000", "WAYBILL_RENEW_EVERY_MS": "400"}
"""For tests that wait for a take-over: short, and still longer than a busy machine keeps a process waiting."""


class System:
    """A context manager: everything is up and ready inside of it, and gone after it. Logs stay below `home`."""

    def __init__(
        self,
        home: Path,
        *,
        gateways: int = 1,
        processors: int = 1,
        settings: Mapping[str, str] | None = None,
        buckets: Buckets | None = None,
        alterations: Mapping[str, float] | None = None,
    ) -> None:
        self.sources_dir = home / "sources"
        self.objects_dir = home / "objects"
        self.redis = EmbeddedValkey(home / "redis", durable=True)
        self.gateways: list[Service] = []
        self.processors: list[Service] = []
        self._started: list[Service] = []
        self._home = home
        self._counts = (gateways, processors)
        self._buckets = buckets
        self._alterations = alterations
        self._settings = (buckets.settings() if buckets else {}) | dict(settings or {})
        self._http = local_client()
        self._http.event_hooks["response"].append(self._insist_on_promise)

    def __enter__(self) -> Self:
        """Start everything."""
        try:
            self._home.mkdir(exist_ok=True)
            cargo.write_catalogue(self._home / "catalogue.jsonl")
            if self._buckets is None:
                cargo.lay_out(self.sources_dir)
                self.objects_dir.mkdir(parents=True, exist_ok=True)  # a gateway that is alone would miss it
            self.redis.start()
            gateways, processors = self._counts
            self.gateways += [self.start("gateway") for _ in range(gateways)]
            self.processors += [self.start("processor") for _ in range(processors)]
            for service in self._started:
                service.wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self.close()

    def close(self) -> None:
        """Stop everything, in any case."""
        self._http.close()
        for service in self._started:
            service.close()
        self.redis.kill()

    @property
    def services(self) -> tuple[Service, ...]:
        """Everything that was started, whether it lives or not."""
        return tuple(self._started)

    # ── processes ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, module: str, alterations: Mapping[str, float] | None = None, /, **settings: str) -> Service:
        """Start one more `gateway` or `processor`, with settings of its own; nobody has waited for it yet.

        `alterations` are altered.py's.
        """
        log_path = self._home / f"{module}-{len(self._started)}.log"
        environment = self.settings_of_a_service(**settings)
        self._started.append(Service(module, environment, log_path, alterations=alterations or self._alterations))
        return self._started[-1]

    def settings_of_a_service(self, **settings: str) -> dict[str, str]:
        """Give the environment of one more process; its ports are free."""
        port, admin_port = free_ports(2)
        return {
            "REDIS_URL": self.redis.url,
            "WAYBILL_CATALOGUE": str(self._home / "catalogue.jsonl"),
            "WAYBILL_SOURCES_DIR": str(self.sources_dir),
            "WAYBILL_OBJECTS_DIR": str(self.objects_dir),
            "WAYBILL_PORT": str(port),
            "WAYBILL_ADMIN_PORT": str(admin_port),
            # No callback of a test may leave this machine.
            "WAYBILL_CALLBACK_NETWORKS": "127.0.0.0/8",
            "WAYBILL_COPY_RATE_BYTES_PER_SECOND": str(cargo.COPY_RATE_BYTES_PER_SECOND),
            **self._settings,
            **settings,
        }

    # ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def url(self) -> str:
        """The first gateway's address."""
        return self.gateways[0].url

    def get(self, path: str, *, gateway: int = 0, **headers: str) -> httpx.Response:
        """GET a path of a gateway; a header `if_none_match` is sent as If-None-Match."""
        return self.call("GET", path, gateway=gateway, **headers)

    def call(self, method: str, path: str, *, gateway: int = 0, **headers: str) -> httpx.Response:
        """Send a request without a body; headers as in get()."""
        spelled = {name.replace("_", "-"): text for name, text in headers.items()}
        return self._http.request(method, self.gateways[gateway].url + path, headers=spelled)

    def post_job(
        self, *files: cargo.SourceFile, gateway: int = 0, headers: Mapping[str, str] | None = None, **more: object
    ) -> httpx.Response:
        """Ask for a bundle of these files; `more` are members of the body."""
        body = {"file_ids": cargo.ids_of(*files), **more}
        return self._http.post(self.gateways[gateway].url + JOBS, json=body, headers=headers)

    def create_job(
        self, *files: cargo.SourceFile, gateway: int = 0, headers: Mapping[str, str] | None = None, **more: object
    ) -> str:
        """Create a job and give its path; its id is what stands behind the last slash."""
        response = self.post_job(*files, gateway=gateway, headers=headers, **more)
        assert response.status_code == 202, response.text
        location: str = response.headers["location"]
        return location

    def create_jobs(self, count: int, *files: cargo.SourceFile) -> list[str]:
        """Create several jobs at once, through all gateways in turn; give their paths."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            turns = range(count)
            return list(pool.map(lambda turn: self.create_job(*files, gateway=turn % len(self.gateways)), turns))

    def record(self, path: str) -> dict[str, Any]:
        """Read a job as GET shows it."""
        response = self.get(path)
        assert response.status_code == 200, response.text
        shown: dict[str, Any] = response.json()
        return shown

    def log(self, path: str) -> list[dict[str, Any]]:
        """Read a job's whole event log, page by page."""
        found: list[dict[str, Any]] = []
        after, has_more = "0-0", True
        while has_more:
            page = self.get(f"{path}/events?after={after}&limit=500").json()
            found += page["events"]
            after, has_more = page["next_after"], page["has_more"]
        return found

    def types(self, path: str) -> list[str]:
        """Give the types of a job's events, oldest first."""
        return [event["type"] for event in self.log(path)]

    def archive(self, path: str) -> bytes:
        """Fetch a job's archive: from the gateway, or from where it says."""
        response = self.get(f"{path}/file")
        if response.status_code == 307:
            response = self._http.get(response.headers["location"])
        assert response.status_code == 200, response.text
        return response.content

    def _insist_on_promise(self, response: httpx.Response) -> None:
        """Fail with any answer of a gateway that the OpenAPI document does not promise."""
        if response.url.port in {gateway.port for gateway in self.gateways}:
            insist_on_promise(response)

    # ── waiting ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def wait_for_end(self, path: str) -> dict[str, Any]:
        """Wait until a job has ended; give its record."""
        return self.wait_for_status(path, *TERMINAL)

    def wait_for_status(self, path: str, *wanted: str) -> dict[str, Any]:
        """Wait until a job stands there; give its record."""
        until(lambda: self.record(path)["status"] in wanted, f"{path} is {' or '.join(wanted)}")
        return self.record(path)

    def wait_for_copying(self, path: str) -> dict[str, Any]:
        """Wait until some bytes are in a job's archive; give its record."""
        until(lambda: self.record(path)["bytes_processed"] > 0, f"{path} copies")
        return self.record(path)

    # ── Redis as it is ────────────────────────────────────────────────────────────────────────────────────────────────

    def redis_has(self, key: str) -> bool:
        """Tell whether Redis has this key."""
        return int(ask(self.redis.port, "EXISTS", key)) == 1

    def count_in_redis(self, partition: int = 0) -> tuple[int, int]:
        """Count the entries of a partition's command stream, and the job records of all partitions."""
        entries = int(ask(self.redis.port, "XLEN", f"waybill:{{{partition}}}:commands"))
        script = "return cjson.encode(redis.call('KEYS', 'waybill:*:job:*'))"
        return entries, len(json.loads(ask(self.redis.port, "EVAL", script, "0")))

    def offices(self, partition: int = 0) -> list[str]:
        """Give the names of a partition's locks that somebody holds."""
        return [name for name in keys.offices(partition) if ask(self.redis.port, "EXISTS", name) == "1"]

    def field(self, path: str, name: str) -> str:
        """Read a field of a job's record in Redis; "" when it has none."""
        job_id = path.rpartition("/")[2]
        partition = int(job_id[15:18], 16)
        return ask(self.redis.port, "HGET", f"waybill:{{{partition}}}:job:{job_id}", name)
