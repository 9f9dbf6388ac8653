"""What the tests of bundles have in common."""

from pathlib import Path

import pytest

from tests.integration.bundle.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """An empty workshop."""
    return Workshop(tmp_path)
