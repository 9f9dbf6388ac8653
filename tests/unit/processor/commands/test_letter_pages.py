"""Letters as text: complete, and harmless to the terminal that shows them."""

import json

import pytest

from processor.commands.letter_pages import details, json_line, printable, table
from tests.unit.processor.commands.letters import letter

HOSTILE = "x\x1b[2J\x9b31m\r\n\u202e\x00\x7fy"


def test_a_table_has_a_head_and_columns_that_stand_below_each_other() -> None:
    head, first, second = table([letter(owner="a-rather-long-name"), letter()], columns=None)

    assert {line.index(word) for line, word in ((head, "ERROR"), (first, "file"), (second, "file"))} == {
        head.index("ERROR")
    }


def test_a_table_is_cut_at_the_width_of_the_terminal() -> None:
    assert {len(line) for line in table([letter()], columns=60)} == {60}


def test_details_name_all_facts_and_the_last_events() -> None:
    text = "\n".join(details(letter()))

    for fact in ("1795461600123-0 (partition 3)", "anna", "permanent", "SOURCE_MISSING: file 70001", "70001", "p1"):
        assert fact in text
    assert "2026-11-23 19:20:00" in text
    assert '{"type":"queued"}' in text


@pytest.mark.parametrize("lines", [table, details])
def test_no_letter_moves_the_cursor_of_who_reads_it(lines: object) -> None:
    hostile = letter(owner=HOSTILE, message=HOSTILE)

    shown = table([hostile], columns=None) if lines is table else details(hostile)

    assert all(line.isprintable() for line in shown)


def test_a_json_line_is_one_line_of_ascii_with_the_events_as_they_are() -> None:
    line = json_line(letter(owner=HOSTILE), outcome="redriven")

    assert line.isascii()
    assert "\n" not in line
    shown = json.loads(line)
    assert shown["outcome"] == "redriven"
    assert shown["owner"] == HOSTILE
    assert shown["events"] == [{"type": "queued"}, {"type": "error", "message": "é\u009b"}]
    assert shown["failed_at"] == "2026-11-23T19:20:00.123Z"


def test_text_without_control_characters_is_left_as_it_is() -> None:
    assert printable("Käse 木 €") == "Käse 木 €"
