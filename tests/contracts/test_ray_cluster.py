"""Ray with several machines, one of which goes away: played by processes on this one."""

import importlib.util
import os
import warnings

import pytest

from helpers.faulty import assert_nothing_lost
from seedwise.errors import ConfigError
from seedwise.setups import Setup
from seedwise.study import RayExecutor, Study

pytestmark = pytest.mark.ray


@pytest.fixture
def cluster():
    """A head without cores, and a way to add machines; no other Ray may be connected."""
    if importlib.util.find_spec("ray") is None:
        if os.environ.get("SEEDWISE_REQUIRE_RAY"):
            pytest.fail("SEEDWISE_REQUIRE_RAY is set, but the package ray is not installed")
        pytest.skip("needs the package ray; pip install 'seedwise[ray]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        import ray
        from ray.cluster_utils import Cluster

        if ray.is_initialized():
            pytest.skip("another test's Ray is connected; run this file alone")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_machine_that_is_lost_takes_no_run_with_it(cluster, tmp_path):
    """Its runs are made by a machine that joins later; None of them has failed."""
    first = cluster.add_node(num_cpus=2)
    told, stored = [], set()

    def watch(event):
        told.append(event)
        if type(event).__name__ == "RunStored":
            stored.add((event.setup, str(event.seed)))
            if len(stored) == 3:
                cluster.remove_node(first, allow_graceful=False)
                cluster.add_node(num_cpus=2)

    path = tmp_path / "study.db"
    summary = Study(path).run(
        {"a": Setup(train="helpers.slowly:train_for_seconds")},
        seeds=8,
        executor=RayExecutor(address=cluster.address),
        watch=watch,
    )
    assert [(row.finished, row.failed) for row in summary.setups] == [(8, 0)]
    assert len(assert_nothing_lost(path, stored)) == 8
    assert any("was lost" in event.text for event in told if type(event).__name__ == "Notice")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_cluster_at_an_address_is_one_line(tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(ConfigError) as caught:
        Study(tmp_path / "s.db").run(
            {"a": Setup(train="seedwise.study.fake:train")},
            seeds=1,
            executor=RayExecutor(address="127.0.0.1:1"),
        )
    assert str(caught.value).startswith("no Ray at '127.0.0.1:1': ")
    assert "\n" not in str(caught.value)
