"""What nobody uses is deleted; git remembers it.

A test and not a bare run of vulture, because vulture takes the fields of messages, which are read by the encoder, for
unused variables, and can only be told so name by name.
"""

import ast
from collections.abc import Iterable, Iterator

from vulture.core import Item, Vulture

from tests.architecture.source_tree import FIRST_PARTY, PRODUCT, Module, assert_none, modules, parse

# Called by their framework.
ENTRY_DECORATORS = [
    *("@asgi", "@delete", "@get", "@head", "@patch", "@post", "@put", "@route", "@websocket"),
    "@waybill.command",
    *("@pytest.fixture", "@pytest_asyncio.fixture", "@initialize", "@invariant", "@precondition", "@rule"),
]
ENTRY_NAMES = ["test_*", "Test*", "pytest_*"]
# Name: who uses it where vulture cannot see it.
USED_ELSEWHERE = {
    "__getattr__": "Python asks a module for what it does not have (PEP 562)",
    "_factory": "aiohttp's connector makes its connections by it",
    "_unsupported_upgrade_warning": "uvicorn's protocol calls it",
    "chunked_encoding": "uvicorn's request cycle reads it",
    "capture_signals": "uvicorn's Server calls it",
    "daemon_threads": "socketserver's ThreadingMixIn reads it",
    "do_GET": "http.server's handler calls it",
    "do_POST": "http.server's handler calls it",
    "get_description": "OpenTelemetry's Sampler wants it",
    "keep_alive": "uvicorn's request cycle reads it",
    "log_message": "http.server's handler calls it",
    "send_400_response": "uvicorn's protocol calls it",
    "should_exit": "uvicorn's Server reads it",
    "tell": "botocore asks PartBody where it stands before it hashes it",
}


def unused(checked: Iterable[Module]) -> Iterator[str]:
    """What none of the modules uses, apart from annotated fields of classes."""
    finder = Vulture(ignore_names=[*ENTRY_NAMES, *USED_ELSEWHERE], ignore_decorators=ENTRY_DECORATORS)
    fields = set()
    for module in checked:
        finder.scan(module.text, filename=module.path)
        fields |= {(module.path, line) for line in _field_lines(module.syntax)}
    for item in finder.get_unused_code(min_confidence=60):
        if (str(item.filename), item.first_lineno) not in fields:
            yield _sentence(item)


def _sentence(item: Item) -> str:
    return f"{item.filename}:{item.first_lineno} {item.message}"


def _field_lines(syntax: ast.Module) -> Iterator[int]:
    for node in ast.walk(syntax):
        if isinstance(node, ast.ClassDef):
            yield from (statement.lineno for statement in node.body if isinstance(statement, ast.AnnAssign))


def test_everything_is_used() -> None:
    # What only a test needs lives in tests/support; a test file's own stand-ins answer to somebody else's protocol.
    judged = (*PRODUCT, "tests/support")

    assert_none(sentence for sentence in unused(modules(*FIRST_PARTY)) if sentence.startswith(judged))


def test_an_unused_function_is_seen_and_a_field_is_none() -> None:
    text = "class Event(Struct):\n    at: str\n\ndef forgotten(): ...\n\nprint(Event)"

    [sentence] = unused([parse("shared/events.py", text)])

    assert "forgotten" in sentence


def test_every_exception_is_still_needed() -> None:
    everything = "\n".join(
        module.text for module in modules(*FIRST_PARTY) if module.path != "tests/architecture/test_dead_code.py"
    )

    assert [name for name in USED_ELSEWHERE if name not in everything] == []
