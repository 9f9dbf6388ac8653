"""Whole processes and an S3 server that refuses them, or is away: each run ends in a sentence that says what to do."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import pytest

from tests.support import cargo
from tests.support.altered import CLOCK
from tests.support.buckets import Buckets
from tests.support.s3_server import SECRET_KEY, S3Server
from tests.support.service import Service
from tests.support.system import QUICK_LEASE, System
from tests.support.waiting import until

FILES = cargo.MIXED[:2]
WRONG_SECRET = "a-wrong-secret"
IMPATIENT = {"STORE_RETRY_BASE_MS": 1, "STORE_RETRY_CAP_MS": 1, "STORE_RETRY_FLOOR_MS": 1}
"""A store that stays away is given up after eight tries in a few milliseconds, not in a quarter of a minute."""
SETTINGS = QUICK_LEASE | {"WAYBILL_RETRY_BASE_MS": "1", "WAYBILL_MAX_FAILURES": "1"}
"""The first failure ends the job: what is told of it does not depend on how many there are."""


class Site:
    """A gateway on two buckets; each test starts the processor that it needs."""

    def __init__(self, system: System, buckets: Buckets) -> None:
        self.system = system
        self.buckets = buckets

    @contextmanager
    def processor(self, alterations: Mapping[str, float] | None = None, **settings: str) -> Iterator[Service]:
        """Run a processor until the end of the block; `{options}` in a setting are those of the right URLs."""
        options = self.buckets.settings()["WAYBILL_SOURCES_URL"].partition("?")[2]
        filled = {name: value.format(options=options) for name, value in settings.items()}
        processor = self.system.start("processor", alterations, **filled)
        try:
            yield processor
            processor.terminate()
            assert processor.exit_code() == 0
        finally:
            processor.close()

    def assert_completed(self, path: str, *files: cargo.SourceFile) -> None:
        """Check that a job was completed by its first run, and that its archive is all that is in the bucket."""
        record = self.system.wait_for_end(path)
        assert (record["status"], record["attempt"]) == ("completed", 1)
        with zipfile.ZipFile(io.BytesIO(self.system.archive(path))) as archive:
            assert [archive.read(entry) for entry in archive.infolist()] == [file.content for file in files]
        [key], open_uploads = self.buckets.left_behind()
        assert key.startswith(f"bundles/{record['job_id']}/")
        assert open_uploads == 0
        self.buckets.bundles.remove(key)


class Case(NamedTuple):
    """What is wrong with a processor, and what is to be read about it."""

    name: str
    settings: dict[str, str]
    advice: tuple[str, ...]
    alterations: Mapping[str, float] | None = None


CASES = (
    Case(
        "wrong secret", {"AWS_SECRET_ACCESS_KEY": WRONG_SECRET}, ("secret access key is wrong", "AWS_SECRET_ACCESS_KEY")
    ),
    Case("unknown access key", {"AWS_ACCESS_KEY_ID": "nobody"}, ("does not know the cred", "Check AWS_ACCESS_KEY_ID")),
    Case(
        "no keys at all",
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"},
        ("has no credentials", "Set WAYBILL_SOURCES_ACCESS_KEY_ID"),
    ),
    Case(
        "wrong bucket of sources",
        {"WAYBILL_SOURCES_URL": "s3://no-such-bucket?{options}"},
        ("The bucket no-such-bucket does not exist", "Check the bucket's name"),
    ),
    Case(
        "wrong bucket of bundles",
        {"WAYBILL_OBJECTS_URL": "s3://no-such-bucket?{options}"},
        ("The bucket no-such-bucket does not exist", "Check the bucket's name"),
    ),
    Case(
        "no permission on sources",
        {"AWS_ACCESS_KEY_ID": "outsider", "AWS_SECRET_ACCESS_KEY": WRONG_SECRET},
        ("forbids this service to look at", "Grant it s3:ListBucket"),
    ),
    Case(
        "no permission on bundles",
        {"AWS_ACCESS_KEY_ID": "borrower", "AWS_SECRET_ACCESS_KEY": WRONG_SECRET},
        ("forbids this service to look at", "Grant it s3:ListBucket"),
    ),
    Case("clock ahead", {}, ("s ahead of the store's", "Set this machine's clock"), {CLOCK: 3600}),
    Case("clock behind", {}, ("s behind the store's", "Set this machine's clock"), {CLOCK: -3600}),
    Case(
        "sources are away",
        {"WAYBILL_SOURCES_URL": "s3://sources?endpoint=http://127.0.0.1:1"},
        ("The store at http://127.0.0.1:1 could not look at", "it cannot be reached; check that it is up"),
        IMPATIENT,
    ),
    Case(
        "bundles are away",
        {"WAYBILL_OBJECTS_URL": "s3://bundles?endpoint=http://127.0.0.1:1"},
        ("The store at http://127.0.0.1:1 could not look at", "check that it is up"),
        IMPATIENT,
    ),
)


@pytest.fixture(scope="module")
def site(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Buckets of which `borrower` may read the sources, and `outsider` nothing."""
    buckets = Buckets.stocked(s3_server)
    for user in ("outsider", "borrower"):
        s3_server.add_user(user, WRONG_SECRET)
    buckets.let_read_sources("borrower")
    home = tmp_path_factory.mktemp("refusals")
    with System(home, processors=0, buckets=buckets, settings=SETTINGS) as system:
        yield Site(system, buckets)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_processor_whose_store_refuses_says_what_to_do_and_takes_no_job(site: Site, case: Case) -> None:
    with site.processor(case.alterations, **case.settings) as processor:
        path = site.system.create_job(*FILES)
        until(lambda: problems_logged(processor, case), "the store has been looked at")
        problems = processor.ask("/readyz").json()["problems"]
        record = site.system.record(path)

    assert record["status"] == "queued"
    assert any(says(problem, case.advice) for problem in problems)
    for sentence in problems_logged(processor, case):
        assert_is_for_people(sentence)
    assert "Traceback" not in processor.log_path.read_text()
    assert site.buckets.left_behind() == ([], 0)

    with site.processor():
        site.assert_completed(path, *FILES)


def problems_logged(processor: Service, case: Case) -> list[str]:
    """Read why a store cannot be used, in the words that are looked for."""
    lines = processor.log_lines()
    return [
        line["problem"]
        for line in lines
        if line["event"] == "store cannot be used" and says(line["problem"], case.advice)
    ]


def says(sentence: str, advice: tuple[str, ...]) -> bool:
    """Tell whether all of these words are in a sentence."""
    return all(words in sentence for words in advice)


def assert_is_for_people(sentence: str) -> None:
    """It has neither a secret nor the class of an exception."""
    assert sentence.endswith(".")
    for unwanted in (SECRET_KEY, WRONG_SECRET, "Error", "Exception", "to head", "not head"):
        assert unwanted not in sentence


def test_a_server_that_is_down_when_the_processor_starts_is_waited_for(site: Site) -> None:
    with ExitStack() as stack:
        site.buckets.server.stop()
        try:
            processor = stack.enter_context(site.processor())
            path = site.system.create_job(*FILES)
            until(lambda: "cannot be used" in processor.log_path.read_text(), "the store has been looked at")
        finally:
            site.buckets.server.start()

        site.assert_completed(path, *FILES)


def test_a_server_that_is_restarted_in_the_midst_of_a_bundle_costs_no_run(site: Site) -> None:
    with site.processor():
        path = site.system.create_job(*cargo.LONG[:2])
        site.system.wait_for_copying(path)

        site.buckets.server.stop()
        site.buckets.server.start()

        site.assert_completed(path, *cargo.LONG[:2])


def test_a_server_that_stays_away_in_the_midst_of_a_bundle_costs_no_failure(site: Site) -> None:
    files = cargo.LONG[:2]
    with site.processor(IMPATIENT) as processor:
        path = site.system.create_job(*files)
        site.system.wait_for_copying(path)

        site.buckets.server.stop()
        try:
            record = site.system.wait_for_status(path, "queued")
        finally:
            site.buckets.server.start()
        ended = site.system.wait_for_end(path)  # an upload that could not be aborted is the orphan search's
        waited = [line for line in processor.log_lines() if line["event"] == "job waits for its store"]

    handed_back = next(event for event in site.system.log(path) if "message" in event and event["type"] == "queued")
    assert (ended["status"], ended["attempt"], record["error"]) == ("completed", 1, None)
    assert handed_back["message"] == "The service cannot use its object store now; the job goes on when it can."
    assert "check that it is up" in waited[0]["error"]
    assert "http" not in str(site.system.log(path))
