"""What an OpenAPI document says many times, said once: headers, examples and answers move to its components. Pure.

Each answer has the same dozen headers, and most calls may be refused alike: written out at each, that was three
quarters of the document. The names in `components` are for readers of the document, and no promise.
"""

import re
from collections import Counter
from http import HTTPStatus
from typing import Any

import msgspec

Part = dict[str, Any]
"""A part of the document, as JSON."""
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]")


class _Shelf:
    """One section of the components: parts under names, and under one name alone what is the same."""

    def __init__(self, section: str, parts: Part) -> None:
        self._section = section
        self.parts = parts
        self._names: dict[bytes, str] = {}

    def refer(self, name: str, part: Part) -> Part:
        """Put a part there, if it is not there yet; give what stands in its place. Another of that name is numbered."""
        text = msgspec.json.encode(part)
        if text not in self._names:
            name = _NO_NAME.sub("", name)
            names = (name if number == 1 else f"{name}-{number}" for number in range(1, len(self.parts) + 2))
            self._names[text] = next(free for free in names if free not in self.parts)
            self.parts[self._names[text]] = part
        return {"$ref": f"#/components/{self._section}/{self._names[text]}"}


def share(document: Part) -> None:
    """Move what is repeated in a whole document to its components, in place."""
    components = document["components"]
    headers, examples = (_Shelf(section, components.setdefault(section, {})) for section in ("headers", "examples"))
    responses = _Shelf("responses", components["responses"])
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for answers in [components["responses"], *(operation["responses"] for operation in operations)]:
        for answer in answers.values():
            _share_within(answer, headers, examples)
    said = Counter(msgspec.json.encode(answer) for each in operations for answer in each["responses"].values())
    for answers in (operation["responses"] for operation in operations):
        for status, answer in answers.items():
            if said[msgspec.json.encode(answer)] > 1:
                answers[status] = responses.refer(HTTPStatus(int(status)).phrase, answer)


def _share_within(answer: Part, headers: _Shelf, examples: _Shelf) -> None:
    for name, header in answer.get("headers", {}).items():
        answer["headers"][name] = headers.refer(name if header["required"] else f"{name}-at-times", header)
    for content in answer.get("content", {}).values():
        for name, example in content.get("examples", {}).items():
            content["examples"][name] = examples.refer(name, example)
