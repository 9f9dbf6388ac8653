"""What one field says of itself."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from shared.programs import PROGRAMS
from shared.setting import Setting, settings_of

Ratio = Annotated[float, Meta(ge=0)]


class Sample(msgspec.Struct, frozen=True):
    """Fields of each kind."""

    api_key: Annotated[str, Meta(min_length=5, examples=["abcdef"], extra={"secret": True})] = ""
    hurry_ms: Annotated[int, Meta(ge=1, le=2_000, description="First.", examples=[7])] = 1_500
    share: Annotated[Ratio, Meta(description="Second.")] = 0.5
    level: Literal["low", "high"] = "low"
    is_eager: bool = True
    ca_file: Annotated[str, Meta(min_length=1, extra={"form": "a path"})] | None = None


API_KEY, HURRY, SHARE, LEVEL, EAGER, CA_FILE = settings_of(Sample)


def test_a_setting_is_described_by_its_annotation() -> None:
    assert (HURRY.variable, HURRY.description, HURRY.values) == (
        "WAYBILL_HURRY_MS",
        "First.",
        "a whole number from 1 to 2,000",
    )
    assert (HURRY.unit, HURRY.default, HURRY.example) == ("milliseconds", "1500", "7")


def test_each_kind_says_in_words_what_it_may_be() -> None:
    assert [setting.values for setting in (API_KEY, SHARE, LEVEL, EAGER, CA_FILE)] == [
        "a text that is not empty",
        "a number from 0 up",
        "low or high",
        "true or false",
        "a path",
    ]
    assert (SHARE.description, EAGER.default, CA_FILE.default) == ("Second.", "true", "")


def test_a_secret_is_not_shown_when_it_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"WAYBILL_API_KEY='\*\*\*': it must be") as caught:
        API_KEY.read("1234")

    assert "1234" not in str(caught.value)


def test_values_are_read_as_their_type() -> None:
    read = [setting.read(text) for setting, text in [(HURRY, "9"), (SHARE, "0.25"), (EAGER, "false"), (CA_FILE, "x")]]

    assert read == [9, 0.25, False, "x"]


REAL = [setting for kind in PROGRAMS.values() for setting in settings_of(kind)]


@pytest.mark.parametrize("setting", REAL, ids=lambda setting: setting.variable)
def test_every_setting_has_a_description_and_an_example_that_is_valid(setting: Setting) -> None:
    assert setting.description.endswith(".")
    assert setting.example
    assert setting.read(setting.example) is not None
