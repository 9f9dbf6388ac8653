"""One setting: everything that its field says of it, and how its value is read from text. Pure.

The annotation of a field is the only place that describes it; problems, `--help` and docs/settings.md are made of it:

    slots: Annotated[int, Meta(ge=1, le=1000, description="Jobs at once.", examples=[4])] = 4

`extra={"form": …}` of a Meta says in words what a pattern accepts, `extra={"secret": True}` keeps a value out of sight.
"""

import re
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

PREFIX = "WAYBILL_"
HIDDEN = "***"

# The longest ending that fits counts.
_UNITS = {
    "_bytes_per_second": "bytes per second",
    "_bytes": "bytes",
    "_seconds": "seconds",
    "_ms": "milliseconds",
    "_percent": "percent",
}
# `scheme://user:` and everything up to the last @: passwords hold slashes and @ when somebody forgot to quote them.
_USERINFO = re.compile(r"^([a-z][\w+.-]*://)([^:@/]*:)?.*@", re.IGNORECASE | re.DOTALL)
_WITHOUT_SCHEME = re.compile(r"^([^:@/]*:)(?!//).*@", re.DOTALL)
_SECRET_PARAMETER = re.compile(
    r"([?&;](?!key_file=)[^=&;]*(?:pass|secret|token|key|credential)[^=&;]*=)[^&;#]*", re.IGNORECASE
)


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One variable of the environment; `values` says what it may be, `default` and `example` are written as there."""

    field: str
    variable: str
    kind: Any
    description: str
    values: str
    unit: str | None
    default: str
    example: str | None
    is_secret: bool

    def read(self, text: str) -> Any:
        """Give the value that this text means. Raises ValueError with the whole sentence about the problem."""
        try:
            return msgspec.convert(text, self.kind, strict=False)
        except msgspec.ValidationError:
            raise ValueError(self._about(text)) from None

    def shown(self, text: str) -> str:
        """Write a value so that everybody may read it: secrets, and passwords inside URLs, become `***`."""
        return HIDDEN if self.is_secret and text else without_passwords(text)

    def _about(self, text: str) -> str:
        example = f" Example: {self.variable}={self.example}" if self.example is not None else ""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.variable}={self.shown(text)!r}: it must be {self.values}{unit}.{example}"


def _variable_of(field: str) -> str:
    """Name the environment variable of a field."""
    return field.upper() if field.startswith(("redis_", "otel_")) else f"{PREFIX}{field.upper()}"


def settings_of(kind: type[msgspec.Struct]) -> tuple[Setting, ...]:
    """Describe the settings of a program, in the order of its fields."""
    return tuple(_setting(field) for field in msgspec.structs.fields(kind))


def without_passwords(text: str) -> str:
    """Hide the password of a URL, and the parameters in its query that are called like a secret."""
    text = _USERINFO.sub(lambda found: f"{found[1]}{found[2] or ''}{HIDDEN}@", text)
    return _SECRET_PARAMETER.sub(rf"\1{HIDDEN}", _WITHOUT_SCHEME.sub(rf"\1{HIDDEN}@", text))


def _setting(field: msgspec.structs.FieldInfo) -> Setting:
    base, metas = _unwrap(field.type)
    extra = {key: value for meta in metas for key, value in (meta.extra or {}).items()}
    examples = [meta.examples[0] for meta in metas if meta.examples]
    return Setting(
        field=field.name,
        variable=_variable_of(field.name),
        kind=field.type,
        description=next((meta.description for meta in reversed(metas) if meta.description), ""),
        values=extra.get("form") or _values(base, metas),
        unit=next((unit for suffix, unit in _UNITS.items() if field.name.endswith(suffix)), None),
        default=_written(field.default),
        example=_written(examples[-1]) if examples else None,
        is_secret=bool(extra.get("secret")),
    )


def _unwrap(annotation: Any) -> tuple[Any, list[Meta]]:
    """Take the plain type and its Metas out of an annotation; None beside it means only that there is no default."""
    if get_origin(annotation) is Annotated:
        inner, *metas = get_args(annotation)
        base, inner_metas = _unwrap(inner)
        return base, inner_metas + [meta for meta in metas if isinstance(meta, Meta)]
    if get_origin(annotation) in (Union, UnionType):
        return _unwrap(next(inner for inner in get_args(annotation) if inner is not type(None)))
    return annotation, []


def _values(base: Any, metas: list[Meta]) -> str:
    if get_origin(base) is Literal:
        *others, last = get_args(base)
        return f"{', '.join(others)} or {last}"
    if base is bool:
        return "true or false"
    if base in (int, float):
        lowest = next((meta.ge for meta in metas if meta.ge is not None), None)
        highest = next((meta.le for meta in metas if meta.le is not None), None)
        number = "a whole number" if base is int else "a number"
        return number + _range(lowest, highest)
    return "a text that is not empty" if any(meta.min_length for meta in metas) else "a text"


def _range(lowest: float | None, highest: float | None) -> str:
    if lowest is not None and highest is not None:
        return f" from {lowest:,} to {highest:,}"
    if lowest is not None:
        return f" from {lowest:,} up"
    return f" up to {highest:,}" if highest is not None else ""


def _written(value: Any) -> str:
    """Write a value as it stands in the environment; none is the empty text."""
    if value is None or value is msgspec.NODEFAULT:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
