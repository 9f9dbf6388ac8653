import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processor.bundle.names import archive_names, is_renamed, safe_name

# Mostly what hurts: separators, dots, reserved characters, device names, accents in pieces, reading directions.
PIECES = st.sampled_from(
    [
        "/",
        "\\",
        ".",
        "..",
        ":",
        "C:",
        " ",
        "con",
        "NUL",
        "com1",
        "a",
        "A",
        "é",
        "e\u0301",
        "ß",
        "ﬁ",
        "日",
        "😀",
        "\u202e",
    ]
    + ["\0", "\n", "<", "*", ".pdf", ".tar.gz", "x" * 90, "ü" * 90, "\ud800", " (2)", "\u0338", "\u200b", "İ", "K"]
)
HOSTILE = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join))
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def assert_safe(name: str) -> None:
    assert 1 <= len(name.encode()) <= 255
    assert unicodedata.is_normalized("NFC", name)
    assert not re.search('[\x00-\x1f\x7f-\x9f<>:"\\\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]', name)
    for component in name.split("/"):
        assert component
        assert component not in {".", ".."}
        assert component[-1] not in " ."
        assert component.split(".")[0].rstrip().casefold() not in DEVICES


@given(HOSTILE)
@example("con" + " " * 300 + "x.txt")
@example("a" * 255)
@example("x" * 251 + " .pdf" + "y" * 30)
def test_any_name_becomes_safe_and_a_safe_one_stays(name: str) -> None:
    safe = safe_name(name)

    assert_safe(safe)
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Quarterly report.pdf", "Quarterly report.pdf"),
        ("Übersicht – 日本語 😀.txt", "Übersicht – 日本語 😀.txt"),
        ("u\u0308ber.txt", "über.txt"),
        ("2024/q3/report.pdf", "2024/q3/report.pdf"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Users\\me\\notes.txt", "Users/me/notes.txt"),
        ("\\\\server\\share\\x.txt", "server/share/x.txt"),
        ("..\\evil.exe", "evil.exe"),
        ("a/./b//c.txt", "a/b/c.txt"),
        ("C:evil.exe", "C_evil.exe"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("line\nbreak\0.txt", "line_break_.txt"),
        ('what? "now" <a|b>*.txt', "what_ _now_ _a_b__.txt"),
        ("con", "_con"),
        ("NUL.tar.gz", "_NUL.tar.gz"),
        ("com¹.txt", "_com¹.txt"),
        ("aux/lpt9.log", "_aux/_lpt9.log"),
        ("console.log", "console.log"),
        ("name. . .", "name"),
        ("dir. /file .txt", "dir/file .txt"),
        ("", "file"),
        ("...", "file"),
        ("///", "file"),
        ("\u200b\u202e", "file"),
        (".gitignore", ".gitignore"),
    ],
)
def test_known_names_become_what_people_expect(name: str, expected: str) -> None:
    assert safe_name(name) == expected


def test_a_long_name_keeps_its_extension_and_whole_characters() -> None:
    safe = safe_name("ü" * 200 + ".pdf")

    assert safe == "ü" * 125 + ".pdf"


def test_a_name_of_255_bytes_is_not_cut() -> None:
    assert safe_name("a" * 251 + ".pdf") == "a" * 251 + ".pdf"


def test_outer_directories_go_before_the_name_is_cut() -> None:
    assert safe_name("o" * 100 + "/" + "i" * 100 + "/report.pdf") == "i" * 100 + "/report.pdf"


@given(st.lists(HOSTILE, max_size=12))
def test_all_names_of_an_archive_are_safe_and_can_lie_side_by_side(names: list[str]) -> None:
    unique = archive_names(names)

    folded = [unicodedata.normalize("NFKC", name).casefold() for name in unique]
    assert len(unique) == len(names)
    assert len(set(folded)) == len(folded)
    for name in unique:
        assert_safe(name)
    for name in folded:
        assert not any(other.startswith(f"{name}/") for other in folded), "a file where a directory must be"


@given(st.lists(HOSTILE, max_size=8))
def test_a_name_that_is_safe_and_not_yet_taken_is_kept(names: list[str]) -> None:
    unique = archive_names(names)

    assert archive_names(unique) == unique


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.txt", "a.txt", "a.txt"], ("a.txt", "a (2).txt", "a (3).txt")),
        (["a.txt", "A.TXT"], ("a.txt", "A (2).TXT")),
        (["a.txt", "a.txt", "a (2).txt"], ("a.txt", "a (3).txt", "a (2).txt")),
        (["é.txt", "e\u0301.txt"], ("é.txt", "é (2).txt")),
        (["ﬁle.txt", "file.txt"], ("ﬁle.txt", "file (2).txt")),
        (["straße", "STRASSE"], ("straße", "STRASSE (2)")),
        (["x/a.txt", "X/A.txt", "y/a.txt"], ("x/a.txt", "X/A (2).txt", "y/a.txt")),
        (["docs", "docs/a.txt"], ("docs (2)", "docs/a.txt")),
        ([".gitignore", ".gitignore"], (".gitignore", ".gitignore (2)")),
        (["v1. Draft", "v1. Draft"], ("v1. Draft", "v1. Draft (2)")),
        (["?", "*"], ("_", "_ (2)")),
    ],
)
def test_equal_names_are_numbered_before_the_extension(names: list[str], expected: tuple[str, ...]) -> None:
    assert archive_names(names) == expected


def test_long_equal_names_stay_within_the_limit() -> None:
    names = archive_names(["日" * 100 + ".pdf"] * 1000)

    assert len(set(names)) == 1000
    assert max(len(name.encode()) for name in names) <= 255
    assert all(name.endswith(".pdf") for name in names)


def test_only_what_people_see_counts_as_renamed() -> None:
    assert not is_renamed("a.txt", "a.txt")
    assert not is_renamed("e\u0301.txt", "é.txt")
    assert is_renamed("a.txt", "a (2).txt")
