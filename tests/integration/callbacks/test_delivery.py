"""One POST to a receiver that does as it likes: it ends in bounded time and memory, and says what it was."""

import asyncio
import contextlib
import json
import os
import ssl
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from processor.callbacks.address_guard import guarded_connector
from processor.callbacks.answer import AnswerHead
from processor.callbacks.delivery import post
from processor.callbacks.outcome import Reception, Trouble
from shared import limits
from shared.callbacks.target import CallbackRules, read_target
from tests.architecture.source_tree import ROOT
from tests.support.certificates import Authority
from tests.support.doorstep import MappedNames
from tests.support.ports import free_ports

RULES = CallbackRules(takes_http=True, ports=(range(1, 65_536),), networks=(ip_network("127.0.0.1"),))
PATIENCE_SECONDS = 30.0
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def receiver(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen during the block, and do so with each request's head; gives the port."""

    talks: list[asyncio.Future[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(ended := asyncio.get_running_loop().create_future())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        writer.close()
        ended.set_result(None)

    async with asyncio.timeout(PATIENCE_SECONDS), await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*talks)  # their clients are gone, so they end


async def send(
    url: str, *, within_seconds: float = 10.0, names: MappedNames | None = None, body: bytes = b'{"type":"test"}'
) -> Reception:
    """Send a callback as a processor does."""
    connector = guarded_connector(read_target(url, RULES), RULES, names or MappedNames({}))
    return await post(url, body, {}, connector=connector, within_seconds=within_seconds)


def saying(answer: bytes) -> Answer:
    """Say this, and close."""

    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return say


def pouring(begin: bytes, again: bytes) -> Answer:
    """Say how it begins, and then the rest for ever."""

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while True:
            writer.write(again)
            await writer.drain()

    return pour


async def test_every_status_that_ends_an_answer_is_told_as_it_came() -> None:
    statuses = iter(range(200, 600))

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n" % next(statuses))

    async with receiver(answer) as port:
        told = [await send(f"http://127.0.0.1:{port}/") for _ in range(200, 600)]

    assert told == [Reception(status, retry_after="7") for status in range(200, 600)]


@pytest.mark.parametrize("status", [100, 102, 103, 199])
async def test_an_answer_that_only_announces_one_is_none(status: int) -> None:
    async with receiver(saying(b"HTTP/1.1 %d X\r\n\r\n" % status)) as port:
        told = await send(f"http://127.0.0.1:{port}/")

    assert (told.status, told.trouble) == (None, Trouble.CLOSED_EARLY)


async def test_switching_protocols_is_no_success() -> None:
    async with receiver(saying(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")) as port:
        told = await send(f"http://127.0.0.1:{port}/")

    assert not told.is_success


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (b"", Trouble.CLOSED_EARLY),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Trouble.CLOSED_EARLY),
        (b"220 mail.example.org ESMTP\r\n", Trouble.NO_HTTP),
        (b"HTTP/1.1 2000 OK\r\n\r\n", Trouble.NO_HTTP),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", Trouble.NO_HTTP),
    ],
    ids=["nothing", "half a head", "mail", "a wrong status", "a long header"],
)
async def test_what_is_no_answer_is_told_apart(answer: bytes, trouble: Trouble) -> None:
    async with receiver(saying(answer)) as port:
        told = await send(f"http://127.0.0.1:{port}/")

    assert (told.status, told.trouble) == (None, trouble)


async def test_headers_without_end_are_not_read_on() -> None:
    tracemalloc.start()
    async with receiver(pouring(b"HTTP/1.1 200 OK\r\n", b"X-More: of the same\r\n" * 1_000)) as port:
        told = await send(f"http://127.0.0.1:{port}/")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert told.trouble is Trouble.NO_HTTP
    assert peak_bytes < 10_000_000


async def test_announcements_without_end_are_no_answer_and_hold_up_nobody() -> None:
    async with receiver(pouring(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 10_000)) as port:
        told = await send(f"http://127.0.0.1:{port}/")

    assert (told.status, told.trouble) == (None, Trouble.NO_HTTP)


async def test_a_few_announcements_before_an_answer_are_passed_over() -> None:
    announced = b"HTTP/1.1 103 Early Hints\r\n\r\n" * limits.CALLBACK_ANSWERS_ANNOUNCED
    async with receiver(saying(announced + b"HTTP/1.1 204 X\r\n\r\n")) as port:
        told = await send(f"http://127.0.0.1:{port}/")

    assert told.status == 204


async def test_of_a_flood_no_more_is_parsed_than_the_head_of_an_answer_may_have() -> None:
    flood = AnswerHead(asyncio.get_running_loop())
    flood.set_response_params()

    flood.data_received(b"HTTP/1.1 102 X\r\n\r\n" * 15_000)

    assert len(flood) <= limits.CALLBACK_ANSWER_PIECE_BYTES / len(b"HTTP/1.1 102 X\r\n\r\n")


async def test_a_head_that_comes_byte_by_byte_is_an_answer() -> None:
    head = AnswerHead(asyncio.get_running_loop())
    head.set_response_params()

    for byte in b"HTTP/1.1 204 No Content\r\nX-Receiver: hooks\r\n\r\n":
        head.data_received(bytes([byte]))

    message, _ = await head.read()
    assert (message.code, head.exception()) == (204, None)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_the_socket_ends_with_the_call_although_the_receiver_has_not_read_what_was_sent() -> None:
    body, heard, told_it = bytes(16_000_000), bytearray(), asyncio.Event()

    async def answer_and_stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")
        await told_it.wait()
        while piece := await reader.read(65_536):
            heard.extend(piece)

    async with receiver(answer_and_stay) as port:
        told = await send(f"http://127.0.0.1:{port}/", body=body)
        told_it.set()

    assert told.status == 200
    assert len(heard) < len(body)


async def test_a_body_without_end_is_not_read() -> None:
    body = b"10000\r\n" + bytes(65_536) + b"\r\n"
    async with receiver(pouring(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body)) as port:
        told = await send(f"http://127.0.0.1:{port}/")

    assert told.status == 200


async def test_an_answer_that_never_comes_is_waited_for_in_bounded_time() -> None:
    async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with receiver(wait) as port:
        told = await send(f"http://127.0.0.1:{port}/", within_seconds=0.2)

    assert (told.status, told.trouble) == (None, Trouble.NO_ANSWER)


async def test_an_answer_that_comes_byte_by_byte_is_waited_for_in_bounded_time() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.01)

    async with receiver(drip) as port:
        told = await send(f"http://127.0.0.1:{port}/", within_seconds=0.2)

    assert (told.status, told.trouble) == (None, Trouble.NO_ANSWER)


async def test_a_receiver_that_is_not_there_is_told_as_no_connection() -> None:
    [port] = free_ports(1)

    told = await send(f"http://127.0.0.1:{port}/hunter2")

    assert told.trouble is Trouble.NO_CONNECTION
    assert "Connect call failed" in told.details
    assert "hunter2" not in told.details


async def test_owners_cannot_tell_a_name_that_leads_nowhere_from_one_that_leads_into_our_network() -> None:
    class Nowhere(MappedNames):
        def look_up(self, host: str) -> list[str]:
            raise OSError(-2, "Name or service not known")

    nowhere = await send("http://nowhere.example.org/", names=Nowhere({}))
    inside = await send("http://inside.example.org/", names=MappedNames({"inside.example.org": [["10.0.0.1"]]}))

    assert nowhere.words == inside.words
    assert "10.0.0.1, a private address" in inside.details


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("certificates") / "authority")


def serving(authority: Authority, host: str) -> ssl.SSLContext:
    """Give what a TLS server needs that speaks for this host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(host.replace(":", "-"), host=host))
    return context


SENDING = """
import asyncio, json, sys
from tests.integration.callbacks.test_delivery import send
from tests.support.doorstep import MappedNames
names = MappedNames({"hooks.example.org": [["127.0.0.1"]]})
told = asyncio.run(send(sys.argv[1], names=names))
print(json.dumps([told.status, told.trouble or "", told.details]))
"""


async def send_trusting(authority: Authority, url: str) -> tuple[int | None, str, str]:
    """Send a callback from a process that trusts this authority: the HTTP client reads whom it trusts when imported."""
    environment = os.environ | {"SSL_CERT_FILE": str(authority.ca_file)}
    sender = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SENDING, url, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await sender.communicate()
    status, trouble, details = json.loads(said)
    return status, trouble, details


async def test_a_certificate_that_nobody_vouches_for_is_refused(authority: Authority) -> None:
    async with receiver(saying(b"HTTP/1.1 204 X\r\n\r\n"), tls=serving(authority, "IP:127.0.0.1")) as port:
        told = await send(f"https://127.0.0.1:{port}/")

    assert told.trouble is Trouble.NO_TLS
    assert "CERTIFICATE_VERIFY_FAILED" in told.details


async def test_a_receiver_is_told_by_https_by_its_name_under_the_guard(authority: Authority) -> None:
    async with receiver(saying(b"HTTP/1.1 204 X\r\n\r\n"), tls=serving(authority, "DNS:hooks.example.org")) as port:
        told = await send_trusting(authority, f"https://hooks.example.org:{port}/")

    assert told == (204, "", "")


async def test_a_certificate_of_another_host_is_refused(authority: Authority) -> None:
    async with receiver(saying(b"HTTP/1.1 204 X\r\n\r\n"), tls=serving(authority, "DNS:other.example.org")) as port:
        status, trouble, details = await send_trusting(authority, f"https://hooks.example.org:{port}/")

    assert (status, trouble) == (None, Trouble.NO_TLS)
    assert "Hostname mismatch, certificate is not valid for 'hooks.example.org'" in details


async def test_a_receiver_without_tls_is_not_spoken_to_in_the_clear() -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(3))
        writer.write(b"HTTP/1.1 400 X\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        told = await send(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert told.trouble is Trouble.NO_TLS
    assert heard[:2] == b"\x16\x03"  # a TLS handshake


async def test_passwords_of_the_environment_are_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login waybill password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 X\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        told = await send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert told.is_success
    assert b"authorization" not in heads[0].lower()
    assert b"cookie" not in heads[0].lower()
