"""Whole processes on other set-ups than one open server: a cluster, a wrong one, one that does not let them in."""

from pathlib import Path

import pytest

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from tests.support import cargo
from tests.support.cluster import EmbeddedCluster
from tests.support.many_reader import ManyReader, many_stream
from tests.support.service import Service
from tests.support.sse_reader import read_frames
from tests.support.system import JOBS, System
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import until


def test_walk_on_a_cluster_of_three_nodes(tmp_path: Path) -> None:
    with EmbeddedCluster(tmp_path / "cluster") as cluster:
        settings = {"REDIS_URL": cluster.url, "WAYBILL_PARTITIONS": "8"}
        with System(tmp_path, gateways=2, settings=settings) as system:
            paths = system.create_jobs(8, *cargo.MIXED)
            streams = [read_frames(system.get(f"{path}/stream?last_event_id=0-0").content) for path in paths]

            for path, frames in zip(paths, streams, strict=True):
                assert frames[-1].type == "completed"
                assert [{"id": frame.id, **frame.data} for frame in frames if frame.id] == system.log(path)


def test_a_gateway_goes_on_for_the_partitions_of_the_nodes_that_live(tmp_path: Path) -> None:
    with EmbeddedCluster(tmp_path / "cluster") as cluster:
        settings = {"REDIS_URL": cluster.url, "WAYBILL_PARTITIONS": "8"}
        with System(tmp_path, settings=settings) as system:
            cluster.nodes[2].kill()

            answers = [system.post_job(*cargo.MIXED) for _ in range(24)]

            assert {answer.status_code for answer in answers} == {202, 503}
            for answer in answers:
                if answer.status_code == 202:
                    assert system.wait_for_end(answer.headers["location"])["status"] == "completed"
            assert system.gateways[0].is_ready()


def test_a_stream_of_many_jobs_goes_on_for_those_whose_node_lives(tmp_path: Path) -> None:
    with EmbeddedCluster(tmp_path / "cluster") as cluster:
        settings = {"REDIS_URL": cluster.url, "WAYBILL_PARTITIONS": "8", "WAYBILL_SLOTS": "32"}
        with System(tmp_path, settings=settings) as system:
            paths = system.create_jobs(16, *cargo.LONG[:2])
            viewer = BackgroundViewer(system.url + many_stream(paths), last_event_id=".".join(["0-0"] * len(paths)))
            until(lambda: len({frame.data.get("job_id") for frame in viewer.frames} - {None}) == 16, "all are told")

            cluster.nodes[2].kill()
            alive = [path for path in paths if system.get(path).status_code == 200]
            assert 0 < len(alive) < len(paths)

            until(
                lambda: (
                    {f"{JOBS}/{frame.data['job_id']}" for frame in viewer.frames if frame.type == "completed"}
                    >= set(alive)
                ),
                "the jobs of the living nodes are followed to their ends",
            )
            system.gateways[0].terminate()
            reader = ManyReader(paths, ".".join(["0-0"] * len(paths)))
            for frame in viewer.wait_for_end():
                reader.take(frame)
            for path in alive:
                assert [event["type"] for event in reader.events_of(path)][-1] == "completed"
                seqs = [int(event["id"].partition("-")[2]) for event in reader.events_of(path)]
                assert seqs == list(range(1, len(seqs) + 1))
            assert reader.types[-1] == "busy"


@pytest.mark.parametrize("module", ["gateway", "processor"])
def test_a_server_of_another_kind_than_the_url_stops_the_process_with_one_line(module: str, tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "cluster", cluster=range(16_384)) as valkey, System(tmp_path, gateways=0) as system:
        service = system.start(module, REDIS_URL=f"redis://127.0.0.1:{valkey.port}/0")

        assert service.exit_code() == 2
        last_line = service.log_path.read_text().splitlines()[-1]
        assert last_line.startswith(
            f"{module}: REDIS_URL='redis://127.0.0.1:{valkey.port}/0' leads to a server in cluster"
        )
        assert "Traceback" not in service.log_path.read_text()


@pytest.mark.parametrize("module", ["gateway", "processor"])
def test_a_database_that_the_server_does_not_have_stops_the_process_with_one_line(module: str, tmp_path: Path) -> None:
    with System(tmp_path, gateways=0, processors=0) as system:
        port = system.redis.port
        service = system.start(module, REDIS_URL=f"redis://127.0.0.1:{port}/99")

        assert service.exit_code() == 2
        last_line = service.log_path.read_text().splitlines()[-1]
        assert last_line.startswith(f"{module}: REDIS_URL='redis://127.0.0.1:{port}/99' asks for database 99")
        assert "Traceback" not in service.log_path.read_text()


def test_a_refused_password_is_a_problem_of_readiness_until_it_is_right(tmp_path: Path) -> None:
    with System(tmp_path, gateways=0, processors=0) as system:
        ask(system.redis.port, "ACL", "SETUSER", "anna", "on", ">right", "~*", "&*", "+@all")
        settings = {"REDIS_USERNAME": "anna", "REDIS_PASSWORD": "wrong"}
        service = system.start("gateway", **settings)
        until(lambda: "refused" in _problems(service), "readiness names the password")

        ask(system.redis.port, "ACL", "SETUSER", "anna", ">wrong")

        service.wait_until_ready()


def _problems(service: Service) -> str:
    return service.ask("/readyz").text if service.is_alive_and_unready() else ""
