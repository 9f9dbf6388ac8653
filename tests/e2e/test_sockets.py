"""A job's stream as a WebSocket: the same messages, the same promise, and a code for every end."""

from tests.support import cargo
from tests.support.socket_reader import open_socket
from tests.support.system import System


def test_a_job_is_followed_to_its_end_with_the_ids_of_its_log(system: System) -> None:
    path = system.create_job(*cargo.MIXED)

    with open_socket(f"{system.url}{path}/stream?last_event_id=0-0") as reader:
        close = reader.to_the_end()

    assert close == (1000, "")
    told = [message for message in reader.messages if message["type"] != "heartbeat"]
    assert told == system.log(path)
