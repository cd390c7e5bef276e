import os
import shutil
import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

if shutil.which("nvidia-smi") is None:
    # Kernels run in Triton's interpreter then, on small tensors of the CPU. Read when a kernel is
    # defined, and whichever test comes first may do that.
    os.environ.setdefault("TRITON_INTERPRET", "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts its background jobs, and a CI its own, with Ctrl-C ignored, and programs that
    # tests start would inherit that: a test that sends one would then wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that does other work as well is slow now and then; that is no failure.
settings.register_profile("seedwise", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seedwise")


@pytest.fixture(autouse=True)
def path_of_modules():
    """Take off `sys.path` what a test put there: a command adds the folder of its study.toml.

    The module of a test that came earlier was found there instead of one of the same name.
    """
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture
def cuda():
    """The name of a CUDA device; without one the test is skipped, or fails where it must not."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if os.environ.get("SEEDWISE_REQUIRE_GPU"):
        pytest.fail("SEEDWISE_REQUIRE_GPU is set, but torch sees no GPU")
    pytest.skip("needs a CUDA device")
