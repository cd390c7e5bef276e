"""Without a GPU the kernels run in Triton's interpreter: `tests/conftest.py` asks for it."""

import pytest
import torch

from helpers.interpreter import mend_interpreter

mend_interpreter()


@pytest.fixture
def place():
    """Where the kernels run here."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(autouse=True)
def _float32_is_float32():
    """Torch would let cuDNN round float32's inputs to 10 bits."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
