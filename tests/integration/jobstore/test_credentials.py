"""Getting in: TLS with the right and the wrong CA, client certificates, users, passwords, the ACL that suffices."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared.errors import RedisRefused, RedisUnavailable, SettingsError
from shared.event_id import START
from shared.jobstore import keys
from shared.jobstore.access import open_commands
from shared.jobstore.dead_letters import Redriven, governing_partitions
from shared.jobstore.location import parse_location
from shared.jobstore.reader import BlockingReader
from shared.jobstore.store import Answer, JobStore
from tests.architecture.source_tree import ROOT
from tests.support import jobs
from tests.support.certificates import Authority
from tests.support.debian_redis import DebianRedis
from tests.support.stores import running, running_commands, running_live, running_store

SHIPPED_ACL = ROOT / "deploy/local/users.acl"
PASSWORD = "s3cret/@?"
PASSWORD_IN_URL = "s3cret%2F%40%3F"
PATIENCE_SECONDS = 20.0

# asyncio (3.11) closes the socket of a refused handshake only after its shutdown time-out, and the test ends before:
# it is found in a later one.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collect_leftovers() -> Iterator[None]:
    """Let such a socket be found within this module, and not in a test elsewhere that does not expect it."""
    yield
    gc.collect()


class TlsServer:
    """A server behind TLS, with what a client needs to know of it."""

    def __init__(self, authority: Authority, port: int) -> None:
        self.authority = authority
        self.address = f"rediss://127.0.0.1:{port}/0"


@pytest.fixture(scope="module", params=["no", "yes"], ids=["server certificate", "client certificates too"])
def tls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """A server that asks for client certificates, or does not."""
    home = tmp_path_factory.mktemp("tls")
    authority = Authority(home / "ca")
    certificate, key = authority.issue("server")
    settings = (
        *("port 0", f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {authority.ca_file}"),
        f"tls-auth-clients {request.param}",
    )
    with DebianRedis(home / "redis", *settings, port_setting="tls-port") as server:
        yield TlsServer(authority, server.port)


async def test_tls_with_the_right_ca_and_certificate_works(tls: TlsServer) -> None:
    certificate, key = tls.authority.issue("client")
    url = f"{tls.address}?ca_file={tls.authority.ca_file}&cert_file={certificate}&key_file={key}"

    async with running_store(url, partitions=1) as store:
        await walk(store, url)


async def test_tls_with_another_ca_is_refused_and_says_why(tls: TlsServer, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")

    assert "certificate verify failed" in await trouble_of(f"{tls.address}?ca_file={other.ca_file}")


async def test_tls_without_verification_takes_any_server(tls: TlsServer) -> None:
    certificate, key = tls.authority.issue("client")

    async with running_commands(f"{tls.address}?verify=none&cert_file={certificate}&key_file={key}") as commands:
        assert await commands.execute("PING") == b"PONG"


async def test_a_server_with_somebody_elses_name_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("server", host="DNS:redis.example.org")
    files = (f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {authority.ca_file}")
    with DebianRedis(tmp_path / "redis", "port 0", *files, "tls-auth-clients no", port_setting="tls-port") as server:
        url = f"rediss://127.0.0.1:{server.port}?ca_file={authority.ca_file}"

        assert "IP address mismatch" in await trouble_of(url)


async def test_a_ca_file_that_is_not_there_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(SettingsError, match=r"ca_file=/nowhere/ca\.pem, which cannot be read: No such file"):
        open_commands(parse_location("rediss://127.0.0.1:1?ca_file=/nowhere/ca.pem"), name="test")


@pytest.fixture(params=["redis", "valkey"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """host:port of a server that lets in the shipped user only."""
    acl = tmp_path / "users.acl"
    acl.write_text("user default off\n" + SHIPPED_ACL.read_text().replace("change-me", PASSWORD))
    if request.param == "redis":
        with DebianRedis(tmp_path / "redis", f"aclfile {acl}") as server:
            yield f"127.0.0.1:{server.port}"
        return
    with EmbeddedValkey(tmp_path / "valkey") as valkey:
        # Read from a file, it would keep the embedded server's own start from asking whether it is up.
        for line in acl.read_text().splitlines()[::-1]:
            ask(valkey.port, "ACL", "SETUSER", *line.split()[1:])
        yield f"127.0.0.1:{valkey.port}"


async def test_the_shipped_acl_suffices_for_every_operation_and_forbids_the_rest(guarded: str) -> None:
    url = f"redis://waybill:{PASSWORD_IN_URL}@{guarded}/0"
    async with running_store(url, partitions=1) as store:
        await walk(store, url)

        for forbidden in (["FLUSHALL"], ["CONFIG", "GET", "*"], ["KEYS", "*"], ["GET", "others"], ["ACL", "WHOAMI"]):
            with pytest.raises(RedisRefused, match=r"(?i)no permissions"):
                await store.connection.execute(*forbidden)


async def test_user_and_password_may_stand_beside_the_url(guarded: str) -> None:
    location = parse_location(f"redis://{guarded}/0", username="waybill", password=PASSWORD)
    commands = open_commands(location, name="test")
    async with running(commands.run):
        assert await commands.execute("PING") == b"PONG"


@pytest.mark.parametrize("userinfo", ["", "waybill:wrong@", "nobody:s3cret@"], ids=["none", "password", "user"])
async def test_who_is_not_let_in_is_told_where_to_look_and_not_the_password(guarded: str, userinfo: str) -> None:
    trouble = await trouble_of(f"redis://{userinfo}{guarded}/0")

    assert "REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD" in trouble or "permission" in trouble
    assert "s3cret" not in trouble


async def trouble_of(url: str) -> str:
    """Give what readiness would show: why there is no connection."""
    async with running_commands(url) as commands:
        with pytest.raises(RedisUnavailable):
            await commands.execute("PING")
        assert commands.healthy_since is None
        return commands.last_trouble


async def walk(store: JobStore, url: str) -> None:
    """Do everything once that Waybill does with Redis."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    reader = BlockingReader(store.connection, partition=0, processor="p1")
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        running_live(url, on_message=lambda _, data: heard.put_nowait(data)) as live,
    ):
        new = jobs.new_job(store)
        await live.subscribe(store.live_channel(new.job_id))
        reading = asyncio.create_task(reader.read(most=1))
        await store.create(new)
        [entry] = await reading
        run = await jobs.claim(store, entry)
        assert await store.append_progress(run, seq=3, message=jobs.progress(0.5)) is Answer.OK
        assert await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS) is Answer.OK
        await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
        await jobs.sweep(store, 0)
        run = await jobs.claim(store, await jobs.take(store, new.job_id))
        assert await store.release(run, message=jobs.RELEASED) is Answer.OK
        run = await jobs.take_over(store, await jobs.claim(store, await jobs.take(store, new.job_id)))
        assert await store.finish(run, jobs.completion()) is Answer.OK
        letters = jobs.letters_of(store)
        await letters.next_untold(0, teller="p1")
        failed = [await jobs.fail(store) for _ in range(3)]
        assert await jobs.redrive(store, failed[0]) is Redriven.OK
        run = await jobs.claim(store, await jobs.take(store, failed[0].job_id))
        assert await store.finish(run, jobs.completion()) is Answer.OK
        await letters.discard(await jobs.letter_of(store, failed[1].job_id))
        untold = (await letters.next_untold(0, teller="p1")).untold
        assert untold is not None
        assert await letters.mark_told(untold) == 0
        assert await governing_partitions(store.connection) == 1

        log = await store.read_events(new.job_id, after=START, count=100)
        assert [await heard.get() for _ in log] == [b"%b %b" % (event_id.encode(), data) for event_id, data in log]
        live.unsubscribe(store.live_channel(new.job_id))
        assert await store.last_event(new.job_id) == log[-1]
        assert await store.find(new.job_id) is not None
        assert (await store.backlog(0)).dead_letters == 1
        waiting = asyncio.create_task(reader.read(most=1))
        while not waiting.done():
            await reader.interrupt()
            await asyncio.sleep(0.01)
        assert await waiting == []
        await reader.close()
        assert store.wake_channels() == [keys.wake(0)]
