"""`python -m processor callbacks` as operators run it: a process of its own, on a real Redis and real receivers."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping

import pytest
from standardwebhooks import Webhook

from shared.callbacks.signing_secret import read_signing_secrets
from shared.jobstore.callback import CallbackState, DeliveryOutcome
from shared.jobstore.outbox import Outbox
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.operator import Operator
from tests.support.receiver import Receiver
from tests.support.service import environment
from tests.support.stores import running_store

URL = "https://hooks.example.org/hunter2"
REFUSED = DeliveryOutcome(at_ms=1_795_461_600_000, duration_ms=12, status=503, error="The receiver answered 503.")
HEARD = DeliveryOutcome(at_ms=1_795_461_600_000, duration_ms=12, status=204)
SECRET = "whsec_" + "A" * 40
HERE = {"WAYBILL_CALLBACK_HTTP": "true", "WAYBILL_CALLBACK_PORTS": "1-65535"}
ALLOWED = HERE | {"WAYBILL_CALLBACK_NETWORKS": "127.0.0.1", "WAYBILL_CALLBACK_SECRETS": SECRET}


async def waiting_and_dead(store: JobStore) -> tuple[str, str]:
    """Let one job's callback wait for its second try, and another's be given up; give the jobs' ids."""
    ended = [(await jobs.fail(store, callback_url=URL)).job_id for _ in range(2)]
    outbox = Outbox(store)
    for job_id in ended:
        [taken] = [
            taken
            for taken in await outbox.take(jobs.partition_number(job_id), "p1", lease_ms=0, count=10)
            if taken.name.job_id == job_id
        ]
        if job_id == ended[0]:
            await outbox.try_again(taken, REFUSED, delay_ms=3_600_000)
        else:
            await outbox.give_up(taken, REFUSED)
    return ended[0], ended[1]


async def run(store_url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command, whose tables are as wide as they are."""
    command = [sys.executable, "-m", "processor", "callbacks", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, env=environment({"REDIS_URL": store_url}), capture_output=True, text=True, timeout=60
    )


async def test_what_waits_and_what_was_given_up_is_listed_without_the_path_of_its_url(redis_url: str) -> None:
    async with running_store(redis_url, partitions=4) as store:
        waiting, dead = await waiting_and_dead(store)

        listed, given_up, listed_json, given_up_json = await asyncio.gather(
            *(run(redis_url, *words) for words in (["list"], ["dead"], ["list", "--json"], ["dead", "--json"]))
        )

    assert listed.stderr == "1 wait or are being told, 1 were given up\n"
    assert [waiting in listed.stdout, dead in listed.stdout] == [True, False]
    assert given_up.stderr == "1 of 1 that were given up\n"
    assert [waiting in given_up.stdout, dead in given_up.stdout] == [False, True]
    assert all("hooks.example.org" in ended.stdout and "503" in ended.stdout for ended in (listed, given_up))
    assert json.loads(listed_json.stdout)["job_id"] == waiting
    assert json.loads(given_up_json.stdout)["reason"] == REFUSED.error
    assert "hunter2" not in "".join(ended.stdout for ended in (listed, given_up, listed_json, given_up_json))


async def test_the_tries_of_a_job_are_shown_and_a_dead_callback_is_redelivered(
    single: JobStore, somebody: Operator
) -> None:
    _, dead = await waiting_and_dead(single)

    shown = await somebody.run("callbacks", "show", dead)
    again = await somebody.run("callbacks", "redeliver", dead)
    at_once = await somebody.run("callbacks", "redeliver", dead)

    [callback] = await Outbox(single).deliveries(dead)
    assert f"{callback.callback_id} to hooks.example.org: dead" in shown.stdout
    assert "The receiver answered 503. (0.0 s)" in shown.stdout
    assert (again.returncode, again.stdout) == (0, f"{dead} is due now, with the same id\n")
    assert at_once.returncode == 1
    assert at_once.stdout.startswith(f"{dead} is being told, or was asked for within the last minute")
    assert (callback.state, await Outbox(single).dead(0)) == (CallbackState.WAITING, [])


async def test_a_job_that_cannot_be_told_again_is_told_why(single: JobStore, somebody: Operator) -> None:
    running, silent = await jobs.create(single, callback_url=URL), (await jobs.fail(single)).job_id

    again = await somebody.run("callbacks", "redeliver", running, silent, "nobody")
    shown = await somebody.run("callbacks", "show", "nobody")

    assert (again.returncode, shown.returncode) == (1, 1)
    assert [
        word
        for word, line in zip(
            ("has not ended", "has no callback_url", "is gone"), again.stdout.splitlines(), strict=True
        )
        if word in line
    ] == ["has not ended", "has no callback_url", "is gone"]
    assert "Nothing is kept of callbacks of job nobody." in shown.stderr


async def test_admins_are_told_once_more_of_a_dead_letter_and_the_owner_is_not(
    single: JobStore, somebody: Operator
) -> None:
    single.tells_admins = True
    outbox, told = Outbox(single), (await jobs.fail(single, callback_url=URL)).job_id
    for taken in await outbox.take(0, "p1", lease_ms=jobs.LEASE_MS, count=10):
        await outbox.delivered(taken, HEARD)
    untold = await jobs.create(single)

    again = await somebody.run("callbacks", "redeliver", "--admins", told, untold)

    [owners], [admins] = await outbox.deliveries(told), await outbox.deliveries(told, for_admins=True)
    assert (owners.state, admins.state, admins.tries) == (CallbackState.DELIVERED, CallbackState.WAITING, (HEARD,))
    assert again.returncode == 1  # because of the second one
    assert again.stdout.splitlines()[0] == f"{told} is due for admins now, with the same id"
    assert again.stdout.splitlines()[1] == f"{untold} is nothing that admins were told of"


async def test_doctor_tells_of_callbacks_that_were_given_up(single: JobStore, somebody: Operator) -> None:
    await waiting_and_dead(single)

    found = await somebody.read("doctor", code=1)  # because this server keeps nothing on its disk

    [check] = [check for check in found["checks"] if check["name"] == "callbacks"]
    assert (check["standing"], check["found"]) == ("note", "1 callback waits, 1 was given up.")


def try_url(url: str, settings: Mapping[str, str], *more: str) -> "subprocess.CompletedProcess[str]":
    """Try a URL as an operator does, with the settings of a processor and no Redis."""
    command = [sys.executable, "-m", "processor", "callbacks", "test", url, *more]
    given = environment({"REDIS_URL": "redis://127.0.0.1:1/0", **settings})
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)


def test_a_test_arrives_signed_as_a_callback_of_that_owner() -> None:
    with Receiver() as receiver:
        ended = try_url(receiver.url, ALLOWED, "--owner", "anna")

    [received] = receiver.received
    [secret] = read_signing_secrets(SECRET, variable="")
    assert (ended.returncode, ended.stdout) == (0, "The receiver answered 204.\n")
    assert received.webhook_id in ended.stderr
    assert Webhook(secret.of_owner("anna").text).verify(received.raw, received.headers)["type"] == "download.test"


def test_a_test_for_admins_goes_to_their_url_unguarded_signed_with_a_secret_that_no_owner_has() -> None:
    with Receiver() as receiver:
        ended = try_url(
            "--admins", {"WAYBILL_CALLBACK_SECRETS": SECRET, "WAYBILL_ADMIN_CALLBACK_URL": receiver.admin_url}
        )

    [received] = receiver.received
    [secret] = read_signing_secrets(SECRET, variable="")
    assert (ended.returncode, ended.stdout) == (0, "The receiver answered 204.\n")
    assert f"{received.webhook_id}, of the owner @admins, signed" in ended.stderr
    assert Webhook(secret.of_owner("@admins").text).verify(received.raw, received.headers)["type"] == "download.test"
    assert received.headers["authorization"].startswith("Basic ")
    assert "hunter2" not in ended.stdout + ended.stderr


def test_a_test_for_admins_who_have_no_url_says_so() -> None:
    ended = try_url("--admins", {})

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "WAYBILL_ADMIN_CALLBACK_URL is not set" in ended.stderr


@pytest.mark.parametrize("words", [["--admins", "https://hooks.example.org/"], []], ids=["both", "none"])
def test_a_test_goes_to_one_place(words: list[str]) -> None:
    command = [sys.executable, "-m", "processor", "callbacks", "test", *words]
    ended = subprocess.run(command, env=environment({}), capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (HERE, "leads to 127.0.0.1, a loopback address (RFC 1122)"),
        ({}, "must begin with https://."),
    ],
)
def test_a_test_is_guarded_as_a_callback_and_says_in_detail_what_speaks_against_it(
    settings: Mapping[str, str], said: str
) -> None:
    with Receiver() as receiver:
        ended = try_url(receiver.url, settings)

    assert (ended.returncode, receiver.received) == (1, [])
    assert said in ended.stdout


def test_a_test_that_is_refused_is_no_success() -> None:
    with Receiver(lambda _: 500) as receiver:
        ended = try_url(receiver.url, ALLOWED)

    assert (ended.returncode, ended.stdout) == (1, "The receiver answered 500.\n")
