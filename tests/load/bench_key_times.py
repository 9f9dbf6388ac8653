"""Whether the time of a refusal tells what a key has right: interleaved requests of each kind, their medians.

A benchmark and no test: on a busy machine the noise of one run is larger than what a caller could learn. That it is
flat follows from gateway/auth/api_key.py, which compares an unknown id as a known one.
"""

import statistics
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

from tests.support.api_keys import new_api_key
from tests.support.system import JOBS, System

ROUNDS = 2_000


def main() -> None:
    """Measure, and print a line for each kind of key."""
    with (
        tempfile.TemporaryDirectory() as home,
        System(Path(home) / "system", processors=0, settings={"WAYBILL_AUTH": "keys"}) as system,
    ):
        good = new_api_key(system.redis.url, "anna")
        key_id = good.split("_")[1]
        kinds = {
            "unknown id": f"wb_{'0' * 16}_{'1' * 64}",
            "known id, wrong from the first digit": f"wb_{key_id}_{'g' * 64}".replace("g", _other(good[20])),
            "known id, wrong in the last digit": good[:-1] + _other(good[-1]),
        }
        for name, took_us in _measure(system.gateways[0].port, kinds).items():
            low, _, high = statistics.quantiles(took_us, n=4)
            print(f"{name:38} median {statistics.median(took_us):7.1f} µs, quartiles {low:.1f} to {high:.1f} µs")


def _measure(port: int, kinds: dict[str, str]) -> dict[str, list[float]]:
    connection = HTTPConnection("127.0.0.1", port)
    took_us: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, api_key in kinds.items():
            started = time.perf_counter()
            connection.request("GET", JOBS, headers={"Authorization": f"Bearer {api_key}"})
            answer = connection.getresponse()
            answer.read()
            took_us[name].append((time.perf_counter() - started) * 1e6)
            assert answer.status == 401
    return took_us


def _other(digit: str) -> str:
    return "0" if digit != "0" else "1"


if __name__ == "__main__":
    main()
