"""What an answer to a request for the rest of an archive brings."""

import pytest

from gateway.client.portion import Again, Complete, Portion, Refused, judge


def of(status: int, offset_bytes: int = 40, size_bytes: int = 100, **headers: str) -> object:
    spelled = {name.replace("_", "-"): text for name, text in headers.items()}
    return judge(status, spelled, offset_bytes=offset_bytes, size_bytes=size_bytes, shown_url="http://a")


def test_the_wanted_part_is_taken_and_the_whole_begins_at_its_beginning() -> None:
    assert of(206, content_range="bytes 40-99/100") == Portion(40)
    assert of(206, content_range="bytes 40-99/*") == Portion(40)
    assert of(200) == Portion(0)


@pytest.mark.parametrize(
    "content_range", ["bytes 41-99/100", "bytes 0-99/100", "bytes 40-99/101", "40-99/100", "", "bytes 40-/100"]
)
def test_another_part_is_not_written(content_range: str) -> None:
    verdict = of(206, content_range=content_range)

    assert isinstance(verdict, Again)
    assert verdict.forgets


def test_a_range_behind_the_end_is_an_end_only_when_all_is_here() -> None:
    assert of(416, offset_bytes=100, content_range="bytes */100") == Complete()
    for content_range, offset_bytes in (("bytes */100", 40), ("bytes */90", 90), ("", 100)):
        verdict = of(416, offset_bytes=offset_bytes, content_range=content_range)
        assert isinstance(verdict, Again)
        assert verdict.forgets


def test_a_web_page_is_refused_and_what_is_busy_is_asked_again() -> None:
    busy = of(503, retry_after="7")

    assert isinstance(of(200, content_type="text/html; charset=utf-8"), Refused)
    assert isinstance(busy, Again)
    assert (busy.at_least_ms, busy.forgets) == (7_000, False)
    assert of(404) is None
