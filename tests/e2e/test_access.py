"""Who may do what: two owners who see nothing of each other on any route, and whatever opens no gate."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from deploy.local.resp import ask
from shared.jobs import make_job_id
from tests.support import cargo
from tests.support.harbour import Harbour, Person
from tests.support.jwks_server import JwksServer
from tests.support.local_http import strict_client
from tests.support.many_reader import many_stream
from tests.support.servers import frozen
from tests.support.sse_reader import read_frames
from tests.support.system import JOBS, System
from tests.support.tokens import AUDIENCE, ISSUER, SECRET, claims, jwk_set, pieced, private_key, public_jwk, signed
from tests.support.waiting import until

UNKNOWN = f"{JOBS}/{make_job_id(0, 1)}"
SSE = {"Accept": "text/event-stream"}
OF_A_JOB = [
    ("POST", "/retry", {}),
    ("GET", "/deliveries", {}),
    ("HEAD", "/deliveries", {}),
    ("POST", "/redeliver", {}),
    ("GET", "", {}),
    ("HEAD", "", {}),
    ("GET", "", {"Prefer": "wait=20"}),
    ("GET", "/stream", {}),
    ("GET", "/stream", SSE),
    ("GET", "/stream", SSE | {"Last-Event-ID": "1-1"}),
    ("GET", "/events", {}),
    ("GET", "/events?after=1-1", {"Prefer": "wait=20"}),
    ("GET", "/file", {}),
    ("GET", "/file", {"Range": "bytes=0-1"}),
    ("HEAD", "/file", {}),
    ("POST", "/cancel", {}),
    ("DELETE", "", {}),
]
"""Every call about one job; the last two would end it."""


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    """A gateway that takes API keys and tokens, and a processor, which knows nothing of either."""
    home = tmp_path_factory.mktemp("access")
    catalogue = home / "owned.jsonl"
    owners = {cargo.MIXED[1].file_id: ["anna"], cargo.MIXED[2].file_id: ["bert"]}
    entries = [
        {"file_id": file.file_id, "name": file.name, "key": file.key}
        | ({"owners": owners[file.file_id]} if file.file_id in owners else {})
        for file in cargo.ALL
    ]
    catalogue.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries), encoding="utf-8")
    with JwksServer(jwk_set(public_jwk("ES256", "e"))) as issuer:
        settings = {
            "WAYBILL_AUTH": "keys,jwt",
            "WAYBILL_JWT_JWKS": issuer.url,
            "WAYBILL_JWT_ISSUER": ISSUER,
            "WAYBILL_JWT_AUDIENCE": AUDIENCE,
            "WAYBILL_CATALOGUE": str(catalogue),
        }
        with System(home, settings=settings) as system, strict_client() as http:
            yield Harbour(system, http)


def seen(response: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """Give all that a caller sees, without the date."""
    return response.status_code, response.content, dict(response.headers) | {"date": ""}


# ── whose ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("method", "rest", "headers"), OF_A_JOB)
@pytest.mark.parametrize("state", ["processing", "completed", "deleted"])
def test_a_job_of_somebody_else_looks_like_none_on_every_call(
    harbour: Harbour, jobs_of_anna: dict[str, str], state: str, method: str, rest: str, headers: dict[str, str]
) -> None:
    for stranger in (harbour.bert, harbour.token("bert")):
        answer = harbour.call(method, jobs_of_anna[state] + rest, stranger, headers)

        assert answer.status_code == 404
        assert seen(answer) == seen(harbour.call(method, UNKNOWN + rest, stranger, headers))


@pytest.fixture(scope="module")
def jobs_of_anna(harbour: Harbour) -> Iterator[dict[str, str]]:
    """Jobs of Anna's by their state; after all that was tried on them nothing has happened to them."""
    deleted = harbour.completed(harbour.anna)
    assert harbour.call("DELETE", deleted, harbour.anna).status_code == 204
    running: str = harbour.create(harbour.anna, *cargo.LONG).headers["location"]
    until(lambda: harbour.record(running, harbour.anna)["status"] == "processing", "it runs")
    jobs = {"processing": running, "completed": harbour.completed(harbour.anna), "deleted": deleted}
    yield jobs
    assert harbour.record(running, harbour.anna)["status"] in ("processing", "completed")
    assert harbour.call("GET", jobs["completed"] + "/file", harbour.anna).status_code == 200
    assert harbour.call("GET", deleted, harbour.anna).status_code == 410


def test_jobs_of_somebody_else_among_named_ones_look_like_none(harbour: Harbour, jobs_of_anna: dict[str, str]) -> None:
    own = harbour.completed(harbour.bert)
    theirs = list(jobs_of_anna.values())
    named = "&".join(f"job={path.rpartition('/')[2]}" for path in [*theirs, own, UNKNOWN])

    batch = harbour.call("GET", f"{JOBS}?{named}", harbour.bert).json()
    stream = read_frames(harbour.call("GET", f"/v1/download/stream?{named}", harbour.bert).content)

    errors = [frame.data["error"] for frame in stream if frame.type == "error"]
    assert [f"{JOBS}/{job['job_id']}" for job in batch["jobs"]] == [own]
    assert len(errors) == len(batch["missing"]) == len(theirs) + 1
    assert {(one["code"], one["message"]) for one in [*errors, *batch["missing"]]} == {
        ("NOT_FOUND", errors[0]["message"])
    }
    assert [frame.data["job_id"] for frame in stream if frame.type == "completed"] == [own.rpartition("/")[2]]


def test_a_damaged_job_is_told_to_its_owner_alone(harbour: Harbour) -> None:
    path = harbour.completed(harbour.anna)
    job_id = path.rpartition("/")[2]
    ask(harbour.system.redis.port, "HSET", f"waybill:{{0}}:job:{job_id}", "epoch", "many")

    answers = [harbour.call("GET", path, person) for person in (harbour.anna, harbour.bert)]

    assert answers[0].json()["code"] == "RECORD_UNREADABLE"
    assert seen(answers[1]) == seen(harbour.call("GET", UNKNOWN, harbour.bert))


def test_a_token_and_a_key_of_one_owner_see_the_same(harbour: Harbour) -> None:
    path = harbour.completed(harbour.token())

    assert harbour.record(path, harbour.anna)["status"] == "completed"
    assert harbour.record(path, harbour.new_key("anna"))["status"] == "completed"


def test_a_listing_has_the_jobs_of_one_owner(harbour: Harbour) -> None:
    carla, dora = harbour.new_key("carla"), harbour.token("dora@example.org")
    paths = [harbour.create(person, cargo.MIXED[0]).headers["location"] for person in (carla, dora)]

    listed = [[job["job_id"] for job in harbour.call("GET", JOBS, person).json()["jobs"]] for person in (carla, dora)]

    assert listed == [[path.rpartition("/")[2]] for path in paths]


def test_idempotency_keys_are_each_owners_own(harbour: Harbour) -> None:
    first, again = (harbour.create(harbour.anna, cargo.MIXED[0], key="same") for _ in range(2))
    other = harbour.create(harbour.bert, cargo.MIXED[0], key="same")

    assert first.json()["job_id"] == again.json()["job_id"] != other.json()["job_id"]
    assert "idempotent-replayed" not in other.headers


def test_files_of_others_are_refused_with_their_ids(harbour: Harbour) -> None:
    theirs = cargo.MIXED[2]

    answer = harbour.create(harbour.anna, *cargo.MIXED[:3])

    assert (answer.status_code, answer.json()["code"]) == (403, "FILES_FORBIDDEN")
    assert answer.json()["file_ids"] == [theirs.file_id]
    assert harbour.create(harbour.bert, theirs).status_code == 202


# ── who ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

GOOD_CLAIMS = claims()
ES256 = private_key("ES256")
ALG_NONE = b'{"alg":"none"}'
NO_KEY = f"wb_{'0' * 16}_{'0' * 64}"
ATTACKS: dict[str, list[str]] = {
    "nothing": [],
    "empty": [""],
    "no scheme": [NO_KEY],
    "Basic": ["Basic YW5uYTpwdw=="],
    "two headers": [f"Bearer {NO_KEY}", f"Bearer {NO_KEY}"],
    "two in one": [f"Bearer {NO_KEY}, Bearer {NO_KEY}"],
    "an unknown key": [f"Bearer {NO_KEY}"],
    "half a key": [f"Bearer {NO_KEY[:40]}"],
    "a key in capitals": [f"Bearer {NO_KEY.upper()}"],
    "a wildcard": ["Bearer wb_*"],
    "not ASCII": ["Bearer ключ"],
    "a huge token": [f"Bearer {'x' * 20_000}"],
    "alg none": [f"Bearer {pieced(ALG_NONE, json.dumps(GOOD_CLAIMS).encode())}"],
    "a secret": [f"Bearer {signed(GOOD_CLAIMS, SECRET, kid='e')}"],
    "wrong kid": [f"Bearer {signed(GOOD_CLAIMS, ES256, 'ES256', kid='f')}"],
    "another key": [f"Bearer {signed(GOOD_CLAIMS, private_key('ES256', 9), 'ES256', kid='e')}"],
    "expired": [f"Bearer {signed(claims(lives_seconds=-60), ES256, 'ES256', kid='e')}"],
    "not yet": [f"Bearer {signed(claims(nbf=2**33), ES256, 'ES256', kid='e')}"],
    "another audience": [f"Bearer {signed(claims(aud='x'), ES256, 'ES256', kid='e')}"],
    "truncated": [f"Bearer {signed(GOOD_CLAIMS, ES256, 'ES256', kid='e')[:-9]}"],
    "nested": [f"Bearer {pieced(b'[' * 4_000, b'{}', b'x')}"],
}
EVERY_CALL = [
    ("POST", JOBS, {}),
    ("GET", JOBS, {}),
    ("GET", "/v1/download/files", {}),
    ("GET", f"{JOBS}?job={UNKNOWN.rpartition('/')[2]}", {}),
    ("GET", many_stream([UNKNOWN]), {}),
    ("GET", many_stream([UNKNOWN]), SSE),
    *((method, UNKNOWN + rest, more) for method, rest, more in OF_A_JOB),
]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_what_opens_no_gate_is_a_401_on_every_call(harbour: Harbour, attack: list[str]) -> None:
    for method, path, more in EVERY_CALL:
        headers = [(name.encode(), text.encode()) for name, text in more.items()]
        headers += [(b"Authorization", text.encode()) for text in attack]
        with strict_client() as client:
            answer = client.request(method, harbour.system.url + path, headers=headers)

        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith('Bearer realm="waybill"')
        assert ("invalid_token" in answer.headers["www-authenticate"]) == bool(attack)
        if method != "HEAD":
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "UNAUTHENTICATED"


def test_a_nul_is_no_http(harbour: Harbour) -> None:
    with socket.create_connection(("127.0.0.1", harbour.system.gateways[0].port), timeout=10) as peer:
        peer.sendall(
            f"GET {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {harbour.anna.credential}\0\r\n\r\n".encode()
        )

        assert peer.recv(4096).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("owner", ["", "..", "a b", "ä", "x" * 129, "a\x1b[2J"])
def test_a_strange_owner_is_refused(harbour: Harbour, owner: str) -> None:
    answer = harbour.call("GET", JOBS, harbour.token(owner))

    assert (answer.status_code, answer.json()["code"]) == (403, "OWNER_REFUSED")


def test_a_key_for_operators_is_not_for_jobs(harbour: Harbour) -> None:
    operator = harbour.new_key("anna", "--scope", "admin")

    for method, path, more in EVERY_CALL:
        answer = harbour.call(method, path, operator, more)

        assert answer.status_code == 403
        assert 'error="insufficient_scope", scope="user"' in answer.headers["www-authenticate"]


def test_a_revoked_key_opens_nothing_with_the_next_call_and_others_of_its_owner_do(harbour: Harbour) -> None:
    lost = harbour.new_key("anna")
    assert harbour.call("GET", JOBS, lost).status_code == 200

    harbour.keys("revoke", lost.key_id)

    assert harbour.call("GET", JOBS, lost).status_code == 401
    assert harbour.call("GET", JOBS, harbour.anna).status_code == 200


def test_a_key_opens_nothing_after_its_expiry(harbour: Harbour) -> None:
    brief = harbour.new_key("anna", "--expires-in", "1s")

    until(lambda: harbour.call("GET", JOBS, brief).status_code == 401, "it has expired")


def test_what_nobody_serves_is_404_and_405_without_a_key(harbour: Harbour) -> None:
    assert harbour.call("GET", "/v1/nothing").status_code == 404
    assert harbour.call("PUT", JOBS).status_code == 405


# ── what is written down ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/version"])
def test_what_the_api_is_may_be_read_without_a_key(harbour: Harbour, path: str) -> None:
    assert harbour.system.get(path).status_code == 200


def test_what_was_done_is_logged_with_owner_and_key_id(harbour: Harbour) -> None:
    done: dict[str, Person] = {"key": harbour.anna, "token": harbour.token()}
    for kind, person in done.items():
        path = harbour.completed(person)
        for method, rest in (("GET", "/file"), ("POST", "/cancel"), ("DELETE", "")):
            assert harbour.call(method, path + rest, person).status_code < 300

        lines = [
            line
            for line in harbour.system.gateways[0].log_lines()
            if line.get("job_id") == path.rpartition("/")[2] and "owner" in line
        ]

        assert [line["event"] for line in lines] == ["job created", "archive sent", "cancel requested", "job deleted"]
        key_id = person.key_id if kind == "key" else "jwt:e"
        assert {(line["owner"], line["key_id"]) for line in lines} == {("anna", key_id)}


def test_no_secret_is_in_any_log(harbour: Harbour) -> None:
    token = harbour.token()
    for person in (harbour.anna, token, Person("wb_" + "f" * 16 + "_" + "e" * 64)):
        harbour.call("GET", JOBS, person)

    logged = harbour.log_text()

    for secret in (harbour.anna.credential.rpartition("_")[2], token.credential.rpartition(".")[2], "e" * 64):
        assert secret not in logged


# ── when it cannot be judged ──────────────────────────────────────────────────────────────────────────────────────────


def test_while_redis_is_away_keys_are_no_401_and_streams_end_softly(harbour: Harbour) -> None:
    path = harbour.completed(harbour.anna)
    with frozen(harbour.system.redis):
        answer = harbour.call("GET", path, harbour.anna)
        stream = harbour.call("GET", f"{path}/stream", harbour.anna, SSE)
        nobody = harbour.call("GET", f"{path}/stream", None, SSE)

    assert (answer.status_code, answer.json()["code"]) == (503, "REDIS_UNAVAILABLE")
    [frame] = read_frames(stream.content)
    assert (stream.status_code, frame.data["reason"]) == (200, "redis")
    assert nobody.status_code == 401
    harbour.system.gateways[0].wait_until_ready()
    assert harbour.call("GET", path, harbour.anna).status_code == 200


def test_without_the_issuers_keys_tokens_wait_and_api_keys_work(harbour: Harbour) -> None:
    with JwksServer() as away:
        url = away.url
    gateway = harbour.system.start("gateway", WAYBILL_JWT_JWKS=url)
    until(gateway.is_alive_and_unready, "it is up, and not ready")
    until(lambda: "issuer" in gateway.ask("/readyz").text, "it says why")

    with strict_client() as client:
        by_token = client.get(gateway.url + JOBS, headers=harbour.token().headers)
        stream = client.get(f"{gateway.url}{UNKNOWN}/stream", headers=harbour.token().headers | SSE)
        by_key = client.get(gateway.url + JOBS, headers=harbour.anna.headers)

    assert (by_token.status_code, by_token.json()["code"]) == (503, "TOKEN_KEYS_UNAVAILABLE")
    assert read_frames(stream.content)[0].data["reason"] == "token_keys"
    assert by_key.status_code == 200
