"""The secrets that callbacks are signed with."""

import base64
import os
import subprocess

import pytest

from shared import limits
from shared.callbacks.signing_secret import SigningSecret, read_signing_secrets
from shared.errors import SettingsError
from tests.architecture.source_tree import ROOT


def written(size_bytes: int) -> str:
    """Write a secret of so many bytes."""
    return SigningSecret(bytes(range(size_bytes))).text


def test_secrets_are_read_as_they_are_written() -> None:
    secrets = read_signing_secrets(f"{written(24)}  {written(64)}", variable="V")

    assert [secret.key for secret in secrets] == [bytes(range(24)), bytes(range(64))]
    assert read_signing_secrets("", variable="V") == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hunter2hunter2", "V: secret 1: it must begin with whsec_."),
        ("whsec_hunter2-hunter2_", "V: secret 1: behind whsec_ there must be base64 (RFC 4648 §4)."),
        (written(64).rstrip("="), "V: secret 1: behind whsec_ there must be base64 (RFC 4648 §4)."),
        (written(23), "V: secret 1: it has 23 bytes; 24 to 64 are taken."),
        (f"{written(24)} {written(65)}", "V: secret 2: it has 65 bytes; 24 to 64 are taken."),
        ("whsec_", "V: secret 1: it has 0 bytes; 24 to 64 are taken."),
        (" ".join([written(24)] * 5), f"V has 5 secrets; the limit is {limits.MAX_CALLBACK_SECRETS}."),
    ],
)
def test_what_is_no_secret_is_refused_by_its_place_and_never_shown(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_signing_secrets(text, variable="V")

    assert caught.value.problems == (problem,)


def test_each_owner_has_a_secret_of_their_own_and_always_the_same() -> None:
    secret, other = read_signing_secrets(f"{written(24)} {written(32)}", variable="V")

    made = [each.of_owner(owner).key for each in (secret, other) for owner in ("ada", "ada ", "bob")]

    assert len(set(made)) == len(made)
    assert all(len(key) == 32 for key in made)
    # By openssl. Another way to make it would make the secrets that receivers have useless.
    assert base64.b64encode(made[0]) == b"4E0lfWFAJqprrFXxrNUcU8GaIwiktEE0yHgl++g1cEs="


def test_a_secret_is_not_shown() -> None:
    assert "SigningSecret(…)" == repr(SigningSecret(b"hunter2")) == f"{SigningSecret(b'hunter2')}"


@pytest.mark.parametrize("owner", ["anna", "0day", "7", "zoë", "%s"])
def test_the_recipe_of_the_docs_makes_the_same_secret_for_every_owner(owner: str) -> None:
    text = (ROOT / "docs" / "callbacks.md").read_text()
    recipe = text[text.index("OWNER=anna") :].partition("```")[0].replace("OWNER=anna\n", "", 1)
    secret = SigningSecret(b"k" * 32)

    made = subprocess.run(
        ["sh", "-c", recipe], env=os.environ | {"OWNER": owner, "SECRET": secret.text}, capture_output=True, check=True
    )

    assert made.stdout.decode().strip() == secret.of_owner(owner).text
