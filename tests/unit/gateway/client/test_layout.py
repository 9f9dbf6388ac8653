"""What of many jobs fits on a terminal, and how wide each column is."""

import pytest

from gateway.client.command.layout import SENTENCE_CHARS, Row, columns_of, fitting


def of(names: str, ended: str = "") -> dict[str, Row]:
    return {name: Row("Preparing", "s", "", is_over=name in ended) for name in names}


@pytest.mark.parametrize("name_chars", [0, 8])
@pytest.mark.parametrize("terminal_chars", range(20, 200))
def test_columns_fill_a_line_and_no_more(terminal_chars: int, name_chars: int) -> None:
    columns = columns_of(terminal_chars, name_chars=name_chars)

    used = [width for width in columns if width]
    assert sum(used) + len(used) - 1 == terminal_chars


def test_the_bar_gives_way_before_the_sentence() -> None:
    assert columns_of(120, name_chars=0).bar == 20
    assert columns_of(80, name_chars=0).bar == 6
    assert columns_of(80, name_chars=8).bar == 0
    assert columns_of(80, name_chars=0).sentence == SENTENCE_CHARS


def test_jobs_that_all_fit_are_all_shown() -> None:
    assert list(fitting(of("abc"), 3)) == ["a", "b", "c"]


def test_of_too_many_those_that_go_on_are_shown_in_their_order() -> None:
    assert list(fitting(of("abcde", ended="ac"), 4)) == ["b", "d", "e"]
    assert list(fitting(of("abcde", ended="acd"), 4)) == ["a", "b", "e"]
