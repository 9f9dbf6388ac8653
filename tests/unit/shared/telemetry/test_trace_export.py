"""What of the address of a redirect may stand in a log."""

import pytest

from shared import limits
from shared.telemetry.trace_export import place_of


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://user:hunter2@login.example/start?ticket=hunter3#hunter4", "https://login.example/start"),
        ("https://user:hunter2@login.example//v1/traces", "https://login.example//v1/traces"),
        ("https://user:hunter@2@login.example", "https://login.example"),
        ("https://login.example/a//b@c", "https://login.example/a//b@c"),
        ("//user:hunter2@login.example/start", "//login.example/start"),
        ("/start@once", "/start@once"),
        ("", ""),
    ],
)
def test_a_redirect_is_shown_without_what_opens_it_and_with_all_of_its_path(location: str, shown: str) -> None:
    assert place_of(location) == shown


def test_a_long_redirect_is_cut() -> None:
    assert len(place_of(f"https://login.example/{'a' * 10_000}")) == limits.MAX_LOCATION_SHOWN_CHARACTERS
