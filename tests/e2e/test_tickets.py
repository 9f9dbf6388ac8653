"""Tickets at a live gateway: what they open without a header, what they never open, and what is left of them."""

import base64
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from deploy.local.resp import ask
from gateway.contract.call import JOB
from gateway.contract.calls import CALLS
from shared.jobs import make_job_id
from shared.ticket import PREFIX, Ticket, TicketSecret, write_ticket
from tests.support import cargo, curl
from tests.support.harbour import Harbour, Person
from tests.support.local_http import local_client, strict_client
from tests.support.servers import frozen
from tests.support.service import Service
from tests.support.sse_reader import read_frames
from tests.support.system import JOBS, System

TICKETS = "/v1/download/tickets"
MANY = "/v1/download/stream"
NEW, OLD = TicketSecret("new", b"n" * 32), TicketSecret("old", b"o" * 32)
SSE = {"Accept": "text/event-stream"}
BY_TICKET = [call for call in CALLS if call.takes_ticket]
READING = [(call.method, call.path.removeprefix(JOB)) for call in BY_TICKET if call.path.startswith(JOB)]
"""The calls of one job that take a ticket: method, and what stands behind the job's path."""
NAMING = [(call.method, call.path) for call in BY_TICKET if not call.path.startswith(JOB)]
"""Those that name their jobs in the query."""
SOON_MS = 2_500
"""Until a ticket expires while something is open: long enough to open it on a busy machine."""
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def setting(*secrets: TicketSecret) -> dict[str, str]:
    """Write the setting; the first signs."""
    return {"WAYBILL_TICKET_SECRETS": " ".join(f"{key_id}:{secret.decode()}" for key_id, secret in secrets)}


def id_of(path: str) -> str:
    """Give the id in a job's path."""
    return path.rpartition("/")[2]


def forge(*paths: str, owner: str = "anna", lives_ms: int = 60_000, secret: TicketSecret = NEW) -> str:
    """Write a ticket as whoever knows the secret can."""
    expires_at_ms = int(time.time() * 1000) + lives_ms
    job_ids = tuple(map(id_of, paths))
    return write_ticket(Ticket(owner=owner, job_ids=job_ids, expires_at_ms=expires_at_ms), secret)


class Pier(NamedTuple):
    """A harbour that gives tickets, and a job of Anna's."""

    harbour: Harbour
    job: str

    def read(self, query: str, *, path: str = "", method: str = "GET", **headers: str) -> httpx.Response:
        """Call something of the job with nothing but a query."""
        return self.harbour.call(method, f"{self.job}{path}?{query}", headers=headers)


@pytest.fixture(scope="module")
def pier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pier]:
    """A gateway that takes API keys, and the tickets of two secrets; the job has completed."""
    settings = {"WAYBILL_AUTH": "keys", "WAYBILL_LOG_LEVEL": "debug", "WAYBILL_SLOTS": "8", **setting(NEW, OLD)}
    with System(tmp_path_factory.mktemp("tickets"), settings=settings) as system, strict_client() as http:
        harbour = Harbour(system, http)
        yield Pier(harbour, harbour.completed(harbour.anna))


def gateway_with(pier: Pier, **settings: str) -> Service:
    """Start one more gateway on the same Redis."""
    gateway = pier.harbour.system.start("gateway", **settings)
    gateway.wait_until_ready()
    return gateway


def create(pier: Pier, *files: cargo.SourceFile, **more: Any) -> dict[str, Any]:
    """Create a job of Anna's whose URLs have a ticket."""
    body = {"file_ids": cargo.ids_of(*files), "ticket": True}
    answer = pier.harbour.call("POST", JOBS, pier.harbour.anna, json=body, **more)
    assert answer.status_code in (200, 202), answer.text
    assert "ticket" not in answer.headers["location"]
    accepted: dict[str, Any] = answer.json()
    return accepted


# ── what a ticket is for ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_urls_of_a_created_job_work_without_a_header(pier: Pier) -> None:
    created = create(pier, cargo.MIXED[0])

    streamed = pier.harbour.call("GET", created["stream_url"])

    assert read_frames(streamed.content)[-1].type == "completed"
    for url in ("status_url", "events_url", "file_url"):
        assert pier.harbour.call("GET", created[url]).status_code == 200, url
        assert created[url].endswith(f"?ticket={created['ticket']}")
    assert "ticket" not in created["cancel_url"]
    assert "T" in created["ticket_expires_at"]


def test_without_the_wish_there_is_no_ticket(pier: Pier) -> None:
    created = pier.harbour.create(pier.harbour.anna, cargo.MIXED[0]).json()

    assert (created["ticket"], created["ticket_expires_at"]) == (None, None)
    assert "?" not in "".join(created[url] for url in ("status_url", "stream_url", "events_url", "file_url"))


def test_a_repetition_gets_a_fresh_ticket_whether_the_first_call_wanted_one_or_not(pier: Pier) -> None:
    keyed = {"Idempotency-Key": "ticketed"}
    plain = pier.harbour.create(pier.harbour.anna, cargo.MIXED[0], key="ticketed").json()

    first, again = (create(pier, cargo.MIXED[0], headers=keyed) for _ in range(2))

    assert plain["job_id"] == first["job_id"] == again["job_id"]
    assert first["ticket"] != again["ticket"]
    assert pier.harbour.call("GET", again["status_url"]).status_code == 200


def test_a_job_that_ends_while_its_post_waits_comes_with_its_ticket(pier: Pier) -> None:
    ended = create(pier, cargo.MIXED[0], headers={"Prefer": "wait=20"})

    assert ended["status"] == "completed"
    assert pier.harbour.call("GET", f"{ended['download_url']}?ticket={ended['ticket']}").status_code == 200


def test_a_ticket_for_several_jobs_opens_each_of_them(pier: Pier) -> None:
    paths = [pier.job, pier.harbour.completed(pier.harbour.anna)]
    answer = pier.harbour.call("POST", TICKETS, pier.harbour.anna, json={"job_ids": [*map(id_of, paths)]})

    given = answer.json()

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert given["job_ids"] == [*map(id_of, paths)]
    for path in paths:
        assert pier.harbour.call("GET", f"{path}?ticket={given['ticket']}").status_code == 200
    issued = [line for line in pier.harbour.system.gateways[0].log_lines() if line["event"] == "ticket issued"]
    [line] = [line for line in issued if line["jobs"] == 2]
    assert (line["owner"], line["signed_with"]) == ("anna", "new")


def named(*paths: str) -> str:
    """Write the query that names these jobs."""
    return "&".join(f"job={id_of(path)}" for path in paths)


def test_a_ticket_opens_its_jobs_on_one_stream_and_in_one_batch_and_no_other_job_there(pier: Pier) -> None:
    harbour = pier.harbour
    other, unlike, theirs = (
        harbour.completed(harbour.anna),
        harbour.completed(harbour.anna),
        harbour.completed(harbour.bert),
    )
    query = f"{named(pier.job, unlike, other, theirs)}&ticket={forge(pier.job, other, theirs)}"

    batch = harbour.call("GET", f"{JOBS}?{query}")
    frames = read_frames(harbour.call("GET", f"{MANY}?{query}", headers=SSE).content)

    assert [job["job_id"] for job in batch.json()["jobs"]] == [id_of(pier.job), id_of(other)]
    assert [(job["job_id"], job["code"]) for job in batch.json()["missing"]] == [
        (id_of(unlike), "NOT_FOUND"),
        (id_of(theirs), "NOT_FOUND"),
    ]
    last = {frame.data["job_id"]: frame.data for frame in frames if frame.data["type"] in ("completed", "error")}
    assert {job_id: (said["type"], said.get("error", {}).get("code")) for job_id, said in last.items()} == {
        id_of(pier.job): ("completed", None),
        id_of(other): ("completed", None),
        id_of(unlike): ("error", "NOT_FOUND"),
        id_of(theirs): ("error", "NOT_FOUND"),
    }


def test_a_batch_by_ticket_is_polled_under_its_etag(pier: Pier) -> None:
    path = f"{JOBS}?{named(pier.job)}&ticket={forge(pier.job)}"

    first = pier.harbour.call("GET", path)
    again = pier.harbour.call("GET", path, headers={"If-None-Match": first.headers["etag"]})
    head = pier.harbour.call("HEAD", path)

    assert (first.status_code, again.status_code, head.status_code) == (200, 304, 200)


def test_there_is_no_ticket_for_jobs_of_others_and_the_first_one_is_named(pier: Pier) -> None:
    theirs, nobodys = id_of(pier.harbour.completed(pier.harbour.bert)), make_job_id(0, 1)

    for first, second in ((theirs, nobodys), (nobodys, theirs)):
        wanted = {"job_ids": [id_of(pier.job), first, second]}
        answer = pier.harbour.call("POST", TICKETS, pier.harbour.anna, json=wanted)

        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
        assert first in answer.text
        assert second not in answer.text


def test_one_job_that_is_gone_does_not_refuse_the_others(pier: Pier) -> None:
    gone = pier.harbour.completed(pier.harbour.anna)
    pier.harbour.call("DELETE", gone, pier.harbour.anna)

    answer = pier.harbour.call("POST", TICKETS, pier.harbour.anna, json={"job_ids": [id_of(gone), id_of(pier.job)]})

    read = [pier.harbour.call("GET", f"{path}?ticket={answer.json()['ticket']}") for path in (gone, pier.job)]
    assert [response.status_code for response in read] == [410, 200]


def test_a_file_link_is_a_plain_link(pier: Pier, tmp_path: Path) -> None:
    url = f"{pier.harbour.system.url}{pier.job}/file?ticket={forge(pier.job)}"
    archive = pier.harbour.call("GET", f"{pier.job}/file", pier.harbour.anna).content

    whole = curl.start("-fLOJ", "--output-dir", str(tmp_path), url)
    whole.communicate()
    part, _ = curl.start("-f", "-r", "10-19", url).communicate()

    [saved] = tmp_path.iterdir()
    assert saved.name.endswith(".zip")
    assert saved.read_bytes() == archive
    assert part == archive[10:20]


def test_the_log_says_that_it_was_a_ticket(pier: Pier) -> None:
    path = pier.harbour.completed(pier.harbour.anna)

    pier.harbour.call("GET", f"{path}/file?ticket={forge(path, secret=OLD)}")

    lines = pier.harbour.system.gateways[0].log_lines()
    [line] = [line for line in lines if line["event"] == "archive sent" and line["job_id"] == id_of(path)]
    assert (line["owner"], line["key_id"]) == ("anna", "ticket:old")


# ── until when ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pier]:
    """A gateway without a processor, and a job of Anna's to which nothing happens."""
    settings = {"WAYBILL_AUTH": "keys", **setting(NEW)}
    home = tmp_path_factory.mktemp("quiet")
    with System(home, processors=0, settings=settings) as system, local_client(within_seconds=30) as http:
        harbour = Harbour(system, http)
        yield Pier(harbour, harbour.create(harbour.anna, cargo.MIXED[0]).headers["location"])


def test_a_stream_ends_with_its_ticket_and_the_next_call_is_final(quiet: Pier) -> None:
    query = f"ticket={forge(quiet.job, lives_ms=SOON_MS)}"

    snapshot, *_, goodbye = read_frames(quiet.read(query, path="/stream", **SSE).content)
    again = quiet.read(query, path="/stream", **SSE, **{"Last-Event-ID": str(snapshot.id)})

    assert (goodbye.id, goodbye.data["type"], goodbye.data["reason"]) == (None, "busy", "ticket_expired")
    assert (again.status_code, again.json()["code"]) == (401, "TICKET_EXPIRED")
    assert quiet.harbour.system.gateways[0].metric("sse_streams_ended_total", reason="ticket_expired") == 1


@pytest.mark.parametrize("path", ["", "/events"])
def test_a_long_poll_is_answered_when_its_ticket_ends(quiet: Pier, path: str) -> None:
    began = time.monotonic()

    answer = quiet.read(f"after=0-1&ticket={forge(quiet.job, lives_ms=SOON_MS)}", path=path, Prefer="wait=20")

    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=20")
    assert 2.4 < time.monotonic() - began < 15


# ── what it never opens ───────────────────────────────────────────────────────────────────────────────────────────────


def codes(answers: list[httpx.Response]) -> set[tuple[int, str]]:
    """Give the different refusals."""
    return {(answer.status_code, answer.json()["code"]) for answer in answers}


def test_no_altered_and_no_shorter_ticket_opens_anything(pier: Pier) -> None:
    good = forge(pier.job)
    assert pier.read(f"ticket={good}").status_code == 200
    altered = [
        good[:place] + ALPHABET[ALPHABET.index(character) ^ 1] + good[place + 1 :]
        for place, character in enumerate(good)
    ]
    shorter = [good[:length] for length in range(len(good))]

    answers = [pier.read(f"ticket={text}") for text in altered + shorter]

    assert codes(answers) == {(401, "TICKET_REFUSED")}
    assert pier.read(f"ticket={good}").status_code == 200


def swapped(one: str, other: str) -> str:
    """Put what one ticket says before the MAC of another."""
    said, signed = (base64.urlsafe_b64decode(text.removeprefix(PREFIX) + "==") for text in (one, other))
    return PREFIX + base64.urlsafe_b64encode(said[:-32] + signed[-32:]).rstrip(b"=").decode()


def test_what_is_no_ticket_is_refused_on_every_call(pier: Pier) -> None:
    good, other = forge(pier.job), forge(pier.job, make_job_id(0, 1))
    attacks = {
        "empty": "ticket=",
        "payload and MAC of two": f"ticket={swapped(other, good)}",
        "another key id": f"ticket={forge(pier.job, secret=TicketSecret('x', NEW.secret))}",
        "another secret": f"ticket={forge(pier.job, secret=TicketSecret('new', OLD.secret))}",
        "a later version": f"ticket=wt2_{good.removeprefix(PREFIX)}",
        "twice": f"ticket={good}&ticket={good}",
        "twice, one bad": f"ticket=x&after=0-0&ticket={good}",
        "as long as an address may be": f"ticket={PREFIX}{'A' * 8_000}",
        "an API key": f"ticket={pier.harbour.anna.credential}",
        "encoded": f"ticket=%77{good[1:]}",
        "encoded twice": f"ticket=%2577{good[1:]}",
        "a space": f"ticket={good}+",
        "padded": f"ticket={good}%3D",
        "a NUL": f"ticket={good}%00",
        "not ASCII": f"ticket={good}%C3%A9",
    }
    for name, query in attacks.items():
        for method, path in READING:
            answer = pier.read(query, path=path, method=method, **SSE)

            assert answer.status_code == 401, (name, method, path)
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
            assert method == "HEAD" or answer.json()["code"] == "TICKET_REFUSED", name
            assert method == "HEAD" or good[-20:] not in answer.text, name


@pytest.mark.parametrize("name", ["%74icket", "Ticket", "tickets", "amp;ticket", "x%26ticket"])
def test_what_is_not_called_a_ticket_is_none(pier: Pier, name: str) -> None:
    assert codes([pier.read(f"{name}={forge(pier.job)}")]) == {(401, "UNAUTHENTICATED")}


def test_a_ticket_opens_its_own_jobs_and_those_of_its_owner_alone(pier: Pier) -> None:
    unlike = pier.harbour.completed(pier.harbour.anna)
    unknown = pier.harbour.call("GET", f"{JOBS}/{make_job_id(0, 1)}", pier.harbour.anna)
    for query in (f"ticket={forge(unlike)}", f"ticket={forge(pier.job, owner='bert')}"):
        for method, path in READING:
            answer = pier.read(query, path=path, method=method, **SSE)

            assert answer.status_code == 404
            assert method == "HEAD" or answer.json() == unknown.json()


def test_an_expired_ticket_is_told_so_on_every_call(pier: Pier) -> None:
    query = f"ticket={forge(pier.job, lives_ms=-1)}"
    for method, path in READING:
        answer = pier.read(query, path=path, method=method, **SSE)

        assert answer.status_code == 401
        assert method == "HEAD" or answer.json()["code"] == "TICKET_EXPIRED"
    naming = [pier.harbour.call(method, f"{path}?{named(pier.job)}&{query}", headers=SSE) for method, path in NAMING]
    assert {answer.status_code for answer in naming} == {401}
    assert codes([answer for answer in naming if answer.content]) == {(401, "TICKET_EXPIRED")}


def test_a_stream_of_many_jobs_ends_with_its_ticket(quiet: Pier) -> None:
    query = f"{named(quiet.job)}&ticket={forge(quiet.job, lives_ms=SOON_MS)}"

    *_, goodbye = read_frames(quiet.harbour.call("GET", f"{MANY}?{query}", headers=SSE).content)

    assert (goodbye.id, goodbye.data["type"], goodbye.data["reason"]) == (None, "busy", "ticket_expired")


def test_a_ticket_opens_no_other_call(pier: Pier) -> None:
    query = f"?ticket={forge(pier.job)}"
    others = [call for call in CALLS if not call.takes_ticket and not call.is_open]

    answers = [
        pier.harbour.call(
            call.method,
            call.path.format(job_id=id_of(pier.job)) + query,
            json=call.request.example if call.request else None,
        )
        for call in others
    ] + [
        pier.harbour.call(method, path + query) for method, path in NAMING if path == JOBS
    ]  # a page, for no job is named

    assert {answer.status_code for answer in answers} == {401}
    assert codes([answer for answer in answers if answer.content]) == {(401, "UNAUTHENTICATED")}
    assert all("A ticket opens only calls that read" in answer.json()["detail"] for answer in answers if answer.content)
    assert {call.method for call in others} == {"GET", "HEAD", "POST", "DELETE"}
    assert pier.read(query[1:], path="/file").status_code == 200


def test_a_ticket_is_no_header_and_a_header_goes_before_it(pier: Pier) -> None:
    good, bad = f"ticket={forge(pier.job)}", "ticket=x&ticket=y"
    sent = {
        "as a header": ("", Person(forge(pier.job)), 401),
        "a bad header": (good, Person("wb_x"), 401),
        "somebody else": (good, pier.harbour.bert, 404),
        "a good header": (bad, pier.harbour.anna, 200),
    }
    for name, (query, person, status) in sent.items():
        assert pier.read(query, **person.headers).status_code == status, name


# ── whose secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_step_of_a_rotation_refuses_a_ticket_of_the_step_before(pier: Pier) -> None:
    steps = ((OLD,), (OLD, NEW), (NEW, OLD), (NEW,))
    gateways = [gateway_with(pier, **setting(*secrets)) for secrets in steps]

    with local_client() as http:
        opened = [
            [http.get(f"{at.url}{pier.job}?ticket={forge(pier.job, secret=secret)}").status_code for at in gateways]
            for secret in (OLD, NEW)
        ]

    assert opened == [[200, 200, 200, 401], [401, 200, 200, 200]]


def test_without_secrets_there_are_no_tickets_and_none_opens_anything(pier: Pier) -> None:
    gateway = gateway_with(pier, WAYBILL_TICKET_SECRETS="")
    created = gateway.metric("download_jobs_created_total")
    wishes: dict[str, Any] = {
        JOBS: {"file_ids": cargo.ids_of(cargo.MIXED[0]), "ticket": True},
        TICKETS: {"job_ids": [id_of(pier.job)]},
    }

    with local_client() as http:
        answers = [http.post(gateway.url + to, json=it, headers=pier.harbour.anna.headers) for to, it in wishes.items()]
        read = http.get(f"{gateway.url}{pier.job}?ticket={forge(pier.job)}")

    assert codes(answers) == {(403, "TICKETS_NOT_OFFERED")}
    assert all("WAYBILL_TICKET_SECRETS" in answer.json()["detail"] for answer in answers)
    assert codes([read]) == {(401, "TICKET_REFUSED")}
    assert gateway.metric("download_jobs_created_total") == created


def test_where_nobody_needs_one_the_same_client_works(system: System) -> None:
    created = system.post_job(cargo.MIXED[0], ticket=True).json()

    frames = read_frames(system.get(created["stream_url"], gateway=1).content)

    assert frames[-1].type == "completed"
    assert system.get(created["file_url"]).status_code == 200
    assert system.get(f"{created['file_url']}x").status_code == 200


# ── what is left of it ────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_answer_to_a_url_with_a_ticket_lets_a_browser_name_it_elsewhere(pier: Pier) -> None:
    good = f"ticket={forge(pier.job)}"
    answers = [
        *(pier.read(good, path=path, method=method) for method, path in READING),
        pier.read(good, path="/file", Range="bytes=0-1"),
        pier.read(good, path="/file", Range="bytes=999999999-"),
        pier.read("ticket=x"),
        pier.read(good, path="/nothing"),
        pier.read(good, path="/file", method="PUT"),
        pier.read(good, method="DELETE"),
    ]

    assert {answer.headers.get_list("referrer-policy")[0] for answer in answers} == {"no-referrer"}
    assert len({answer.status_code for answer in answers}) == 6
    assert all(len(answer.headers.get_list("referrer-policy")) == 1 for answer in answers)


def test_no_ticket_is_in_any_log_or_error_whatever_becomes_of_its_call(pier: Pier) -> None:
    harbour, system = pier.harbour, pier.harbour.system
    broken, emptied = (harbour.completed(harbour.anna) for _ in range(2))
    ask(system.redis.port, "HSET", f"waybill:{{0}}:job:{id_of(broken)}", "epoch", "many")
    archive = system.objects_dir / system.field(emptied, "object_key")
    archive.unlink()
    archive.mkdir()
    good, bad, over = forge(pier.job, broken, emptied), forge(pier.job)[:-3] + "xyz", forge(pier.job, lives_ms=-1)
    walked = []
    for ticket in (good, bad, over):
        queries = (f"ticket={ticket}", f"after=x&limit=x&ticket={ticket}", f"%74icket={ticket}&after=%ff")
        walked += [
            harbour.call("GET", f"{job}{rest}?{query}", headers={"Referer": f"/?{query}"})
            for job in (pier.job, broken, emptied, f"{JOBS}/none")
            for rest in ("", "/stream", "/events", "/file", "/nothing")
            for query in queries
        ]
        walked += [harbour.call(method, f"{pier.job}?ticket={ticket}") for method in ("PUT", "POST", "DELETE")]
        walked += [harbour.call("POST", f"{JOBS}?ticket={ticket}", Person(ticket), content=f"ticket={ticket}")]
    with frozen(system.redis):
        away = harbour.call("GET", f"{pier.job}?ticket={good}")
    system.gateways[0].wait_until_ready()

    assert {answer.status_code for answer in walked} >= {200, 400, 401, 404, 405, 500}
    assert away.status_code == 503
    logged = harbour.log_text()
    for ticket in (good, bad, over):
        assert ticket[-40:] not in logged
        assert not any(ticket[-40:] in answer.text + str(answer.headers) for answer in (*walked, away))
    shutil.rmtree(archive)
