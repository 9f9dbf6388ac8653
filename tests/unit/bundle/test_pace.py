import asyncio

import pytest

from processor.bundle.pace import Pace


@pytest.mark.parametrize("bytes_per_second", [None, 0])
async def test_without_a_rate_nothing_waits(bytes_per_second: int | None) -> None:
    pace = Pace(bytes_per_second)

    await asyncio.wait_for(pace.allow(10**15), timeout=5)

    assert pace.step_bytes is None


async def test_all_who_share_a_pace_share_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []

    async def note(delay_seconds: float) -> None:
        delays.append(round(delay_seconds, 1))

    monkeypatch.setattr(asyncio, "sleep", note)
    pace = Pace(1000)

    for _ in range(4):
        await pace.allow(pace.step_bytes or 0)

    assert delays == pytest.approx([0, 0.25, 0.5, 0.75], abs=0.11)
