"""Names under which archives are saved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content_disposition import attachment


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report", 'attachment; filename="report.zip"'),
        ("Report.ZIP", 'attachment; filename="Report.ZIP"'),
        ("Übersicht", "attachment; filename=\"Ubersicht.zip\"; filename*=UTF-8''%C3%9Cbersicht.zip"),
        ("報告", "attachment; filename=\"download.zip\"; filename*=UTF-8''%E5%A0%B1%E5%91%8A.zip"),
        ('a"b\\c/d', 'attachment; filename="a_b_c_d.zip"'),
        ("a＂b＼c", "attachment; filename=\"a_b_c.zip\"; filename*=UTF-8''a%EF%BC%82b%EF%BC%BCc.zip"),
        ("..", 'attachment; filename="download.zip"'),
        ("x\r\nSet-Cookie: a=b", 'attachment; filename="x__Set-Cookie_ a=b.zip"'),
    ],
)
def test_name_becomes_a_header_that_browsers_agree_on(name: str, expected: str) -> None:
    assert attachment(name) == expected


@given(name=st.text(max_size=200) | st.text(alphabet='＂＼／"\\/a;= ', max_size=20))
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    header = attachment(name)

    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert "\\" not in header
