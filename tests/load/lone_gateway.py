"""A gateway without processors, for benchmarks: its jobs are written by somebody else."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support import cargo
from tests.support.ports import free_ports
from tests.support.service import Service


@contextlib.contextmanager
def lone_gateway(home: Path, url: str, settings: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Run one gateway on the Redis of `url`, with its files and its log in `home`, until the block is left."""
    port, admin_port = free_ports(2)
    (home / "sources").mkdir(exist_ok=True)
    (home / "objects").mkdir(exist_ok=True)
    cargo.write_catalogue(home / "catalogue.jsonl")
    own = {
        "REDIS_URL": url,
        "WAYBILL_PORT": str(port),
        "WAYBILL_ADMIN_PORT": str(admin_port),
        "WAYBILL_CATALOGUE": str(home / "catalogue.jsonl"),
        "WAYBILL_SOURCES_DIR": str(home / "sources"),
        "WAYBILL_OBJECTS_DIR": str(home / "objects"),
        "WAYBILL_LOG_LEVEL": "warning",
    }
    service = Service("gateway", own | dict(settings or {}), home / f"gateway-{port}.log")
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.close()
