"""What the variables of `make run` mean."""

from pathlib import Path

import pytest

from deploy.local.errors import LocalSetupError
from deploy.local.options import Options, gateway_settings, processor_settings, read_options

HERE = Path("/srv/waybill")


def read(**environment: str) -> Options:
    """The options of an environment that holds nothing else."""
    return read_options(environment, HERE)


def test_nothing_given_means_the_documented_defaults() -> None:
    options = read()

    assert options == Options(HERE / ".waybill", 8080, 9090, redis_url=None, copy_rate_bytes_per_second=None)
    assert options.processor_admin_port == 9091


def test_empty_variables_count_as_unset() -> None:
    assert read(PORT="", ADMIN_PORT=" ", WAYBILL_HOME="", RATE="", REDIS_URL="") == read()


def test_home_may_be_absolute_or_relative() -> None:
    assert read(WAYBILL_HOME="/data/w").home == Path("/data/w")
    assert read(WAYBILL_HOME="other").home == HERE / "other"


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8080.5", "٨٠"])
def test_bad_port_is_refused_with_its_variable(port: str) -> None:
    with pytest.raises(LocalSetupError, match=r"^PORT is "):
        read(PORT=port)


def test_highest_admin_port_leaves_room_for_the_processor() -> None:
    assert read(ADMIN_PORT="65534").processor_admin_port == 65535
    with pytest.raises(LocalSetupError, match=r"^ADMIN_PORT is '65535'"):
        read(ADMIN_PORT="65535")


@pytest.mark.parametrize("admin_port", ["8080", "8079"])
def test_ports_that_meet_are_refused(admin_port: str) -> None:
    with pytest.raises(LocalSetupError, match="Port 8080 would be used twice"):
        read(ADMIN_PORT=admin_port)


@pytest.mark.parametrize(("rate", "bytes_per_second"), [("2", 2_000_000), ("0.5", 500_000), ("1e3", 1_000_000_000)])
def test_rate_is_megabytes_a_second(rate: str, bytes_per_second: int) -> None:
    assert read(RATE=rate).copy_rate_bytes_per_second == bytes_per_second


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "fast", "1e-9"])
def test_rate_that_would_never_copy_is_refused(rate: str) -> None:
    with pytest.raises(LocalSetupError, match=r"^RATE is "):
        read(RATE=rate)


def test_processes_share_their_stores_and_have_ports_of_their_own() -> None:
    options = read(PORT="8000", ADMIN_PORT="9000", RATE="1")

    gateway = gateway_settings(options, "redis://127.0.0.1:1/0")
    processor = processor_settings(options, "redis://127.0.0.1:1/0")

    assert (gateway["WAYBILL_PORT"], gateway["WAYBILL_ADMIN_PORT"]) == ("8000", "9000")
    assert processor["WAYBILL_ADMIN_PORT"] == "9001"
    assert processor["WAYBILL_STOP_GRACE_SECONDS"] == "15"  # nothing for a drain: Ctrl-C is not kept waiting
    assert processor["WAYBILL_COPY_RATE_BYTES_PER_SECOND"] == "1000000"
    for name in ("REDIS_URL", "WAYBILL_SOURCES_DIR", "WAYBILL_OBJECTS_DIR", "WAYBILL_CATALOGUE"):
        assert gateway[name] == processor[name]
