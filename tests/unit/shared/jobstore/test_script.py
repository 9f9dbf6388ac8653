import hashlib
import re
from importlib import resources

import pytest

from shared.jobstore import script
from shared.jobstore.script import Script

FOLDER = resources.files("shared.jobstore") / "scripts"
REFUSED_BY_A_FULL_REDIS = {"create", "append_progress", "redrive"}

each_script = pytest.mark.parametrize("loaded", script.ALL, ids=lambda loaded: loaded.name)


def test_every_file_is_loaded_once() -> None:
    files = {file.name.removesuffix(".lua") for file in FOLDER.iterdir() if file.name.endswith(".lua")}

    assert sorted(loaded.name for loaded in script.ALL) == sorted(files)


@each_script
def test_a_script_begins_with_the_lua_shebang(loaded: Script) -> None:
    assert re.match(r"#!lua( flags=allow-oom(,no-writes)?)?\n", loaded.text)
    assert loaded.text.count("#!lua") == 1


@each_script
def test_only_what_makes_new_work_is_refused_by_a_full_redis(loaded: Script) -> None:
    is_refused = "allow-oom" not in loaded.text.partition("\n")[0]

    assert is_refused == (loaded.name in REFUSED_BY_A_FULL_REDIS)


@each_script
def test_a_script_is_called_by_the_sha1_of_its_text(loaded: Script) -> None:
    assert loaded.sha == hashlib.sha1(loaded.text.encode()).hexdigest()


@each_script
def test_a_script_has_the_shared_texts_that_it_names_and_no_other(loaded: Script) -> None:
    body = (FOLDER / f"{loaded.name}.lua").read_text()
    uses = re.search(r"^-- uses: (.+)$", body, re.MULTILINE)
    named = uses[1].split() if uses else []

    for part in (FOLDER / "shared").iterdir():
        is_in_front = loaded.text.find(part.read_text()) != -1
        assert is_in_front == (part.name.removesuffix(".lua") in named)


@each_script
def test_a_script_calls_only_functions_that_it_has(loaded: Script) -> None:
    defined = re.findall(r"local function (\w+)", loaded.text)

    for name in ("now_ms", "acknowledge", "hold", "own", "fence", "append", "publish", "terminate"):
        code = re.sub(r"--.*", "", loaded.text)
        is_called = re.search(rf"(?<!function )\b{name}\(", code) is not None
        assert not is_called or name in defined


@each_script
def test_a_script_says_its_keys_arguments_and_replies(loaded: Script) -> None:
    body = (FOLDER / f"{loaded.name}.lua").read_text()

    for heading in ("-- KEYS ", "-- ARGV ", "-- Reply"):
        assert f"\n{heading}" in body


@each_script
def test_no_script_builds_a_key(loaded: Script) -> None:
    assert "waybill:" not in loaded.text.lower()
