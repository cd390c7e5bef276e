import os

import pytest
from hypothesis import settings

# A machine that does other work as well is slow now and then; that is no failure.
settings.register_profile("seedwise", deadline=None)
settings.load_profile("seedwise")


@pytest.fixture
def cuda():
    """The name of a CUDA device; without one the test is skipped, or fails where it must not."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if os.environ.get("SEEDWISE_REQUIRE_GPU"):
        pytest.fail("SEEDWISE_REQUIRE_GPU is set, but torch sees no GPU")
    pytest.skip("needs a CUDA device")
