"""The modules that decide take `now`, a random ratio and values, and return values.

That is what makes them testable without a clock and readable without the rest. Purity is transitive: a pure module
imports pure first-party modules only.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import (
    FIRST_PARTY,
    ROOT,
    Module,
    assert_none,
    breaches,
    imported_names,
    modules,
    parse,
)

PURE = (
    "gateway/auth/api_key.py",
    "gateway/auth/bearer.py",
    "gateway/auth/caller.py",
    "gateway/auth/key_pages.py",
    "gateway/auth/ticket.py",
    "gateway/edge/address.py",
    "gateway/edge/answer_headers.py",
    "gateway/edge/cors.py",
    "gateway/edge/handshake.py",
    "gateway/edge/forwarded.py",
    "gateway/edge/header.py",
    "gateway/edge/hosts.py",
    "gateway/edge/pages.py",
    "gateway/edge/proxies.py",
    "gateway/contract/call.py",
    "gateway/contract/examples.py",
    "gateway/contract/failures.py",
    "gateway/contract/headers.py",
    "gateway/contract/members.py",
    "gateway/contract/parameters.py",
    "gateway/contract/refusals.py",
    "gateway/client/answers.py",
    "gateway/client/command/cells.py",
    "gateway/client/command/exit_codes.py",
    "gateway/client/command/file_ids.py",
    "gateway/client/command/findings.py",
    "gateway/client/command/layout.py",
    "gateway/client/command/pages.py",
    "gateway/client/course.py",
    "gateway/client/display.py",
    "gateway/client/errors.py",
    "gateway/client/event_stream.py",
    "gateway/client/file_name.py",
    "gateway/client/patience.py",
    "gateway/client/portion.py",
    "gateway/client/record.py",
    "gateway/client/sentences.py",
    "gateway/client/sight.py",
    "gateway/client/transfer.py",
    "gateway/idempotency_key.py",
    "gateway/json_body.py",
    "gateway/files_request.py",
    "gateway/job_choice.py",
    "gateway/listing_request.py",
    "gateway/estimate.py",
    "gateway/rate_limit_headers.py",
    "gateway/representation.py",
    "gateway/room.py",
    "gateway/streaming/part.py",
    "gateway/streaming/socket_frames.py",
    "gateway/streaming/sse.py",
    "gateway/streaming/subscription.py",
    "gateway/streaming/vector.py",
    "processor/bundle/archive_key.py",
    "processor/bundle/belief.py",
    "processor/bundle/crc_combine.py",
    "processor/bundle/names.py",
    "processor/bundle/plan.py",
    "processor/bundle/zip_format.py",
    "processor/callbacks/crowd.py",
    "processor/callbacks/message.py",
    "processor/callbacks/outcome.py",
    "processor/callbacks/schedule.py",
    "processor/callbacks/signature.py",
    "processor/commands/backlog_pages.py",
    "processor/commands/callback_pages.py",
    "processor/commands/check.py",
    "processor/commands/check_pages.py",
    "processor/commands/history.py",
    "processor/commands/job_pages.py",
    "processor/commands/letter_choice.py",
    "processor/commands/letter_pages.py",
    "processor/commands/queue_checks.py",
    "processor/commands/server_checks.py",
    "processor/commands/wording.py",
    "processor/dead_letters/view.py",
    "processor/maintenance/stray.py",
    "processor/outcome.py",
    "processor/progress.py",
    "processor/remaining.py",
    "shared/caller_errors.py",
    "shared/callback_errors.py",
    "shared/callbacks/addresses.py",
    "shared/callbacks/end_message.py",
    "shared/callbacks/signing_secret.py",
    "shared/callbacks/target.py",
    "shared/errors.py",
    "shared/event_id.py",
    "shared/events.py",
    "shared/jobs.py",
    "shared/environment.py",
    "shared/jobstore/api_key.py",
    "shared/jobstore/callback.py",
    "shared/jobstore/letter.py",
    "shared/jobstore/location.py",
    "shared/jobstore/operations.py",
    "shared/jobstore/queue.py",
    "shared/jobstore/record.py",
    "shared/jobstore/server_check.py",
    "shared/jobstore/service_times.py",
    "shared/limit_errors.py",
    "shared/limits.py",
    "shared/objects/info.py",
    "shared/objects/location.py",
    "shared/objects/part_journal.py",
    "shared/objects/s3_checksum.py",
    "shared/objects/s3_errors.py",
    "shared/objects/s3_login.py",
    "shared/objects/s3_pages.py",
    "shared/rate.py",
    "shared/retry.py",
    "shared/setting.py",
    "shared/gateway_settings.py",
    "shared/processor_settings.py",
    "shared/programs.py",
    "shared/settings.py",
    "shared/settings_manual.py",
    "shared/telemetry/redaction.py",
    "shared/telemetry/span_ids.py",
    "shared/told_job.py",
    "shared/ticket.py",
)
# Clocks, randomness, files, network, processes, threads, logs.
IMPURE_IMPORTS = frozenset(
    "aiofiles anyio asyncio concurrent ctypes fcntl fileinput glob hiredis http httpx httptools litestar logging "
    "multiprocessing opentelemetry os pathlib prometheus_client queue random redis sched secrets select selectors "
    "shutil signal socket sqlite3 ssl structlog subprocess sys tempfile threading time urllib.request uvicorn uvloop "
    "zipfile".split()
)
IMPURE_CALLS = frozenset({"open", "input", "print", "breakpoint", "exec", "eval", "__import__"})
# Of datetime and date, and the uuids that carry a clock or randomness.
IMPURE_METHODS = frozenset({"now", "utcnow", "today", "uuid1", "uuid4", "uuid6", "uuid7", "uuid8"})


def impurities(module: Module) -> Iterator[str]:
    """Imports and calls by which a module would reach the world."""
    for line, name in imported_names(module):
        if any(name == impure or name.startswith(f"{impure}.") for impure in IMPURE_IMPORTS):
            yield f"{module.path}:{line} imports {name}"
        if name.split(".")[0] in FIRST_PARTY and not is_pure_import(name):
            yield f"{module.path}:{line} imports {name}, which is not in the list of pure modules"
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.Name) and node.id in IMPURE_CALLS:
            yield f"{module.path}:{node.lineno} uses {node.id}"
        elif isinstance(node, ast.Attribute) and node.attr in IMPURE_METHODS:
            yield f"{module.path}:{node.lineno} uses .{node.attr}"


def is_pure_import(name: str) -> bool:
    """Whether the dotted name is a pure module, or something in one."""
    as_path = name.replace(".", "/")
    return any(
        as_path == pure.removesuffix(".py") or as_path.startswith(f"{pure.removesuffix('.py')}/") for pure in PURE
    )


@pytest.mark.parametrize("path", PURE)
def test_module_decides_without_reaching_the_world(path: str) -> None:
    assert (ROOT / path).is_file(), f"{path} is in the list of pure modules and does not exist"

    assert_none(breaches(impurities, [module for module in modules(path.partition("/")[0]) if module.path == path]))


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "import os.path",
        "from random import Random",
        "from urllib import request",
        "def f():\n    import asyncio",
        "from shared.jobstore import store",
        "from shared import telemetry",
        "from datetime import datetime, UTC\nat = datetime.now(UTC)",
        "import uuid\njob_id = uuid.uuid4()",
        "text = open('x').read()",
        "import datetime\nclock = datetime.datetime.utcnow",
    ],
)
def test_an_impurity_is_seen(text: str) -> None:
    assert list(impurities(parse("shared/jobs.py", text)))


def test_values_and_pure_neighbours_are_no_impurity() -> None:
    text = (
        "import uuid, zlib\nfrom datetime import datetime\nfrom shared.limits import MAX_FILES\nfrom shared import jobs"
    )

    assert list(impurities(parse("shared/events.py", text))) == []
