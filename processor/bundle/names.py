"""The names of files inside an archive: safe to unpack on every system, and each there once. Pure.

A name may hold directories, as `/`-separated components. The same names in the same order always give the same result.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

MAX_NAME_BYTES = 255  # of UTF-8, directories included: what ext4, NTFS, APFS and unpackers take for sure
MAX_DIRECTORIES_BYTES = 190  # of these; the rest is the file's own, and a number and its extension always fit there
MAX_EXTENSION_BYTES = 32  # what is longer after the last dot is not an extension

_EMPTY = "file"
_DRIVE = re.compile(r"^[/\\]*[A-Za-z]:(?=[/\\])")
_SEPARATOR = re.compile(r"[/\\]")
_EXTENSION = re.compile(r"(?<=.)\.[^.\s]+$", re.DOTALL)
# Characters that cannot be seen, or that turn the reading direction of what follows ("fdp.exe" shown as "exe.pdf").
# The joiners U+200C and U+200D stay: Persian words and emoji are written with them.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
# C0 and C1 controls, line and paragraph separators, halves of surrogate pairs, and what Windows reserves
# (Microsoft, "Naming Files, Paths, and Namespaces").
_FORBIDDEN = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff<>:"|?*]')
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]) *(\.|$)", re.IGNORECASE)


def archive_names(names: Sequence[str]) -> tuple[str, ...]:
    """Give each file's name in the archive: safe, and unlike all others also for systems that ignore case.

    The first of equal names keeps it, the others get " (2)", " (3)" … before the extension. A file that is called like
    another one's directory is numbered too: the two could not be unpacked side by side.
    """
    safe = [safe_name(name) for name in names]
    wanted = {_identity(name) for name in safe}
    taken = {_identity(directory) for name in safe for directory in _directories_of(name)}
    numbers: dict[str, int] = {}
    unique: list[str] = []
    for name in safe:
        free = _with_free_number(name, taken, wanted, numbers) if _identity(name) in taken else name
        taken.add(_identity(free))
        unique.append(free)
    return tuple(unique)


def is_renamed(name: str, archive_name: str) -> bool:
    """Tell whether people see another name in the archive; composing accents (NFC) is not a change that they see."""
    return unicodedata.normalize("NFC", name) != archive_name


def safe_name(name: str) -> str:
    """Make one name safe to unpack; a safe name comes back as it is.

    Drives, leading slashes, "." and ".." components go; backslashes count as slashes; forbidden characters become "_",
    invisible ones go; names of Windows devices get a "_" in front. At most 255 bytes of UTF-8: outer directories go
    first, then the end of the name before its extension. What is left without any character is called "file".
    """
    visible = unicodedata.normalize("NFC", _INVISIBLE.sub("", name))
    components = [_safe_component(text) for text in _SEPARATOR.split(_DRIVE.sub("", visible))]
    *directories, file_name = [component for component in components if component] or [_EMPTY]
    prefix = _prefix([_not_a_device(directory) for directory in directories])
    room_bytes = MAX_NAME_BYTES - _size_bytes(prefix)
    # Once more after the cut, which may leave "con   .txt"; one byte is kept free for the "_" then.
    fitted = _fitted(_not_a_device(file_name), room_bytes)
    return prefix + (f"_{_fitted(fitted, room_bytes - 1)}" if _DEVICE.match(fitted) else fitted)


def _safe_component(text: str) -> str:
    """Give a component without forbidden characters; empty when it would name nothing, or a directory above."""
    return _FORBIDDEN.sub("_", text).rstrip(" .")  # Windows drops spaces and dots at the end


def _not_a_device(component: str) -> str:
    return f"_{component}" if _DEVICE.match(component) else component


def _prefix(directories: list[str]) -> str:
    """Join as many of the inner directories as there is room for."""
    while _size_bytes(prefix := "".join(f"{directory}/" for directory in directories)) > MAX_DIRECTORIES_BYTES:
        directories = directories[1:]
    return prefix


def _fitted(file_name: str, room_bytes: int, mark: str = "") -> str:
    """Put `mark` before the extension and cut what stands before the mark, so that all fits into the room."""
    found = _EXTENSION.search(file_name)
    extension = found[0] if found and _size_bytes(found[0]) <= MAX_EXTENSION_BYTES else ""
    stem = file_name.removesuffix(extension)
    tail = mark + extension
    fitted = stem.encode()[: room_bytes - _size_bytes(tail)].decode(errors="ignore") + tail
    return fitted.rstrip(" .")


def _with_free_number(name: str, taken: AbstractSet[str], wanted: AbstractSet[str], numbers: dict[str, int]) -> str:
    """Number a name so that it meets no other, also none that a later file has of its own."""
    directory, slash, file_name = name.rpartition("/")
    prefix = directory + slash
    identity = _identity(name)
    while True:
        numbers[identity] = numbers.get(identity, 1) + 1
        mark = f" ({numbers[identity]})"
        numbered = prefix + _fitted(file_name, MAX_NAME_BYTES - _size_bytes(prefix), mark)
        if _identity(numbered) not in taken and _identity(numbered) not in wanted:
            return numbered


def _directories_of(name: str) -> Iterator[str]:
    """Yield every directory that unpacking the name creates."""
    for position, character in enumerate(name):
        if character == "/":
            yield name[:position]


def _identity(name: str) -> str:
    """Fold what some system may hold for the same name (Unicode §3.13, compatibility caseless matching, D146)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())


def _size_bytes(text: str) -> int:
    return len(text.encode())
