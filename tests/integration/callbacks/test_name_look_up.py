"""How names are looked up, by the machine itself."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest

from processor.callbacks.name_look_up import NameLookUp
from shared import limits
from tests.architecture.source_tree import ROOT


async def test_a_name_of_the_hosts_file_leads_where_that_says() -> None:
    names = NameLookUp()

    found = await names.resolve("localhost", 8080)
    await names.close()

    assert {(answer["hostname"], answer["port"]) for answer in found} == {("localhost", 8080)}
    assert all(ip_address(answer["host"]).is_loopback for answer in found)


async def test_what_is_no_name_is_an_error_of_the_system() -> None:
    names = NameLookUp()

    with pytest.raises(socket.gaierror):
        await names.resolve("no-name.invalid")
    await names.close()


async def test_a_name_is_looked_up_while_all_shared_threads_are_busy() -> None:
    done, names, only_thread = threading.Event(), NameLookUp(), ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(only_thread)
    only_thread.submit(done.wait)

    try:
        async with asyncio.timeout(5):
            found = await names.resolve("localhost")
    finally:
        # A thread that waits would hold the loop's end up, also that of a test that fails.
        done.set()
    await names.close()

    assert found


HANGING = """
import asyncio, socket, time
from processor.callbacks.name_look_up import NameLookUp
socket.getaddrinfo = lambda *_, **__: time.sleep(3600)
async def look_up():
    try:
        async with asyncio.timeout(0.1):
            await NameLookUp().resolve("slow.example.org")
    except TimeoutError:
        print("too late")
asyncio.run(look_up())
"""


def test_a_look_up_that_hangs_holds_up_the_end_of_no_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )

    assert (ended.returncode, ended.stdout) == (0, "too late\n")


async def test_more_look_ups_than_there_are_places_wait_for_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALLBACK_LOOK_UP_THREADS", 2)
    names, running, most, lock = NameLookUp(), 0, 0, threading.Lock()

    def look_up(*_: object, **__: object) -> list[tuple[object, ...]]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)  # as a name server does
        with lock:
            running -= 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    found = await asyncio.gather(*(names.resolve(f"h{number}.example.org") for number in range(10)))

    assert (most, {answers[0]["host"] for answers in found}) == (2, {"192.0.2.1"})
