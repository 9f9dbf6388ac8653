"""One job from POST to its end, as callers see it: the answer's promises, the stream, polling, the event pages."""

import itertools
import json
import re
from collections.abc import Iterator

import httpx_sse
import pytest

from tests.support import cargo, curl
from tests.support.local_http import local_client
from tests.support.sse_reader import FrameReader, read_frames
from tests.support.system import System
from tests.support.waiting import PATIENCE_SECONDS

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def ended(system: System) -> str:
    """The path of a completed job."""
    path = system.create_job(*cargo.MIXED, archive_name="Frachtbriefe Köln 📦")
    assert system.wait_for_end(path)["status"] == "completed"
    return path


# ── the answer ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_post_answers_202_with_the_promised_members(system: System) -> None:
    response = system.post_job(*cargo.MIXED)

    body = response.json()
    assert response.status_code == 202
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["location"] == body["status_url"]
    assert UUID.fullmatch(body["job_id"])
    assert body["status"] == "queued"
    assert body["status_url"] == f"/v1/download/jobs/{body['job_id']}"
    assert body["estimated_duration"] is None or re.fullmatch(r"[0-9]+-[0-9]+s", body["estimated_duration"])


def test_every_address_in_the_answer_works_at_once(system: System) -> None:
    body = system.post_job(cargo.LONG[0], callback_url="https://127.0.0.1/").json()

    addresses = {name: path for name, path in body.items() if name.endswith("_url")}
    cancel_path, file_path = addresses.pop("cancel_url"), addresses.pop("file_url")
    assert addresses.pop("websocket_url") == addresses["stream_url"]  # what it answers to an upgrade is in test_sockets
    assert set(addresses) == {"status_url", "stream_url", "events_url", "deliveries_url"}
    for path in addresses.values():
        with local_client() as client, client.stream("GET", system.url + path) as response:
            assert response.status_code == 200, path
            assert next(response.iter_raw())
    assert system.get(file_path).json()["code"] == "NOT_READY"  # the link is known; what it leads to is being made
    assert system.call("POST", cancel_path).status_code == 202


def test_the_other_gateway_knows_the_job_at_once(system: System) -> None:
    path = system.create_job(*cargo.MIXED, gateway=0)

    assert system.get(path, gateway=1).status_code == 200


def test_the_shared_record_of_a_job_tells_its_whole_story(system: System, ended: str) -> None:
    record = system.record(ended)

    assert record["job_id"] == ended.rpartition("/")[2]
    assert (record["status"], record["progress"], record["attempt"], record["error"]) == ("completed", 1.0, 1, None)
    assert record["files_processed"] == record["total_files"] == len(cargo.MIXED)
    assert record["bytes_processed"] == record["total_bytes"] == sum(len(file.content) for file in cargo.MIXED)
    assert record["download_url"] == f"{ended}/file"
    assert record["created_at"] <= record["started_at"] <= record["finished_at"] <= record["expires_at"]


# ── the stream ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_curl_shows_each_event_as_it_happens_and_ends_with_exit_code_0(system: System) -> None:
    path = system.create_job(*cargo.LONG[:2])

    with curl.start(f"{system.url}{path}/stream?last_event_id=0-0") as process:
        assert process.stdout is not None
        seen, statuses, reader = [], [], FrameReader()
        for line in process.stdout:
            for frame in reader.feed(line):
                seen.append(frame)
                statuses.append(system.record(path)["status"])

    assert process.returncode == 0
    assert [frame.type for frame in seen if frame.type != "heartbeat"] == system.types(path)
    assert seen[-1].type == "completed"
    # Most of them were on the screen while the job was still running.
    assert statuses.count("completed") <= 2
    assert statuses.count("processing") >= 3


def test_an_independent_parser_reads_the_same_events(system: System) -> None:
    path = system.create_job(*cargo.LONG[:1])

    with (
        local_client(within_seconds=PATIENCE_SECONDS) as client,
        httpx_sse.connect_sse(client, "GET", f"{system.url}{path}/stream?last_event_id=0-0") as source,
    ):
        seen = [event for event in source.iter_sse() if event.event == "message"]

    assert [{"id": event.id, **event.json()} for event in seen] == system.log(path)


def test_stream_without_a_cursor_starts_with_the_job_as_it_is_and_goes_on_from_there(system: System) -> None:
    path = system.create_job(*cargo.LONG[:1])
    system.wait_for_copying(path)

    first, *rest = read_frames(system.get(f"{path}/stream").content)

    log = system.log(path)
    after = [event["id"] for event in log].index(first.id) + 1
    assert first.type == "snapshot"
    assert first.data["status"] == "processing"
    assert "gap" not in first.data
    assert after > 1
    assert [{"id": frame.id, **frame.data} for frame in rest if frame.id] == log[after:]


def test_stream_has_the_headers_that_keep_proxies_from_holding_it_back(system: System, ended: str) -> None:
    response = system.get(f"{ended}/stream")

    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["vary"] == "Accept, Origin"
    assert response.headers["transfer-encoding"] == "chunked"


def test_stream_of_an_ended_job_shows_it_and_its_end(system: System, ended: str) -> None:
    snapshot, end = read_frames(system.get(f"{ended}/stream").content)

    assert (snapshot.type, snapshot.id, snapshot.data["status"]) == ("snapshot", None, "completed")
    assert snapshot.retry_ms is not None
    assert (end.type, end.id) == ("completed", system.log(ended)[-1]["id"])


def test_cursor_0_0_gives_the_whole_log(system: System, ended: str) -> None:
    frames = read_frames(system.get(f"{ended}/stream?last_event_id=0-0").content)

    assert [{"id": frame.id, **frame.data} for frame in frames] == system.log(ended)


def test_last_event_id_gives_exactly_the_events_after_it(system: System, ended: str) -> None:
    log = system.log(ended)

    for place, event in enumerate(log[:-1], start=1):
        frames = read_frames(system.get(f"{ended}/stream", last_event_id=event["id"]).content)
        assert [frame.id for frame in frames] == [later["id"] for later in log[place:]]


def test_header_wins_over_the_query(system: System, ended: str) -> None:
    last_but_one = system.log(ended)[-2]["id"]

    frames = read_frames(system.get(f"{ended}/stream?last_event_id=0-0", last_event_id=last_but_one).content)

    assert len(frames) == 1


def test_cursor_at_the_end_of_an_ended_job_is_answered_204(system: System, ended: str) -> None:
    end = system.log(ended)[-1]["id"]

    response = system.get(f"{ended}/stream", last_event_id=end)

    assert (response.status_code, response.content) == (204, b"")


def test_cursor_at_the_end_of_a_running_job_gets_a_heartbeat_at_once_and_then_what_is_new(system: System) -> None:
    path = system.create_job(*cargo.LONG[:1])
    system.wait_for_copying(path)
    cursor = system.log(path)[-1]["id"]

    first, *rest = read_frames(system.get(f"{path}/stream", last_event_id=cursor).content)

    log = system.log(path)
    after = [event["id"] for event in log].index(cursor) + 1
    news = [frame for frame in (first, *rest) if frame.id]
    assert first.type == "heartbeat" or first.id == log[after]["id"]
    assert [{"id": frame.id, **frame.data} for frame in news] == log[after:]


# ── polling ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_polling_with_the_etag_is_answered_304_until_something_changes(system: System, ended: str) -> None:
    etag = system.get(ended).headers["etag"]

    same = system.get(ended, if_none_match=etag)
    other = system.get(ended, if_none_match='W/"0-0.00000000"')

    assert etag.startswith('W/"')
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert other.status_code == 200


def test_retry_after_is_given_while_the_job_is_active_only(system: System, ended: str) -> None:
    path = system.create_job(cargo.LONG[0])

    active = system.get(path)

    assert active.headers["retry-after"] == "2"
    assert "retry-after" not in system.get(ended).headers
    assert "no-cache" in active.headers["cache-control"]


def test_head_of_a_job_gives_the_headers_of_get_without_a_body(system: System, ended: str) -> None:
    shown, head = system.get(ended), system.call("HEAD", ended)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-type", "content-length", "cache-control", "vary"):
        assert head.headers[name] == shown.headers[name], name


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_event_pages_of_any_size_give_the_whole_log_once(system: System, ended: str, limit: int) -> None:
    pages = list(_pages(system, ended, limit))

    assert list(itertools.chain(*pages)) == system.log(ended)
    assert all(len(page) <= limit for page in pages)
    assert all(len(page) == limit for page in pages[:-1])


def _pages(system: System, path: str, limit: int) -> Iterator[list[dict[str, object]]]:
    after = "0-0"
    while True:
        page = json.loads(system.get(f"{path}/events?after={after}&limit={limit}").content)
        assert "gap" not in page
        yield page["events"]
        after = page["next_after"]
        if not page["has_more"]:
            return


def test_log_begins_with_queued_and_has_dense_ids_and_rising_progress(system: System, ended: str) -> None:
    log = system.log(ended)

    ratios = [event["progress"] for event in log if event["type"] == "progress"]
    assert [int(event["id"].partition("-")[2]) for event in log] == list(range(1, len(log) + 1))
    assert [event["type"] for event in log[:2]] == ["queued", "started"]
    assert ratios == sorted(ratios)
    assert [event["type"] for event in log].count("completed") == 1
