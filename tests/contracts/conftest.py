import importlib.util
import os
import warnings

import pytest


@pytest.fixture(scope="session")
def ray():
    """Ray on this machine, for the whole session: it takes seconds to start."""
    if importlib.util.find_spec("ray") is None:
        if os.environ.get("SEEDWISE_REQUIRE_RAY"):
            pytest.fail("SEEDWISE_REQUIRE_RAY is set, but the package ray is not installed")
        pytest.skip("needs the package ray; pip install 'seedwise[ray]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, of what its next version does
        import ray

        ray.init(
            address="local",
            num_cpus=4,
            num_gpus=1,  # Ray counts what it is told: tasks share it, and none of them looks
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            object_store_memory=100 * 2**20,
        )
    yield ray
    ray.shutdown()
