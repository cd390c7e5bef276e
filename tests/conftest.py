import os

import pytest


@pytest.fixture
def cuda():
    """The name of a CUDA device; without one the test is skipped, or fails where it must not."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if os.environ.get("SEEDWISE_REQUIRE_GPU"):
        pytest.fail("SEEDWISE_REQUIRE_GPU is set, but torch sees no GPU")
    pytest.skip("needs a CUDA device")
