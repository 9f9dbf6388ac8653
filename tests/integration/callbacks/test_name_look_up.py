"""How names are looked up, by the machine itself."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest

from processor.callbacks.name_look_up import NameLookUp


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
