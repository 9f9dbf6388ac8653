"""How much room text takes on a terminal, and how it is made to fit. Pure."""

import unicodedata

CUT = "…"


def printable(text: str) -> str:
    """Take out what could move a cursor."""
    return "".join(character if character.isprintable() else "�" for character in text)


def width_of(text: str) -> int:
    """Count the cells that a text takes: East Asian characters take two, marks above and below others none."""
    return sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def padded(text: str, cells: int) -> str:
    """Fill a text up to so many cells; one that takes more stays as it is."""
    return text + " " * (cells - width_of(text))


def cut(text: str, cells: int) -> str:
    """Cut a text to at most so many cells, the mark of the cut among them."""
    if width_of(text) <= cells:
        return text
    kept = ""
    for character in text:
        if width_of(kept + character) > cells - width_of(CUT):
            break
        kept += character
    return kept + CUT
