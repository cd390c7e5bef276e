"""What a captured model loads on its way to the first step, which a study waits for."""

import os
import subprocess
import sys

import pytest

from helpers.pictures import folders

pytest.importorskip("triton")

CODE = """
import sys
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import torch

from seedwise.data import Split, open_data
from seedwise.setups import Setup
from seedwise.train.beside import captured_bytes
from seedwise.train.gpu.engine import GraphedModel

setup = Setup(model="xresnet10-narrow", epochs=1, batch_size=4, size=16)
setup = setup.but(precision="bf16", deterministic=True, loader="cache")
folder = Path(sys.argv[1])
data = open_data(str(folder), Split.of("shipped"), cache=folder.parent / "cache")
captured_bytes(setup)
no_gpu = {
    "Stream": mock.MagicMock(),
    "stream": nullcontext,
    "is_current_stream_capturing": lambda: False,
    "mem_get_info": lambda device: (2**30, 2**30),
}
with mock.patch.multiple(torch.cuda, **no_gpu), mock.patch.object(GraphedModel, "_captured"):
    model = GraphedModel(setup, data, torch.device("cpu"))
assert model._update.clock.tolist() == [1, 1]
print(*sys.modules)
"""


def test_neither_torchs_compiler_nor_sympy_is_loaded(tmp_path):
    layout = {f"{part}/{c}/{i}": i for part in ("train", "val") for c in "ab" for i in range(2)}
    images = folders(tmp_path / "pets", layout)
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(images)],
        capture_output=True,
        text=True,
        env=os.environ | {"TRITON_INTERPRET": "1"},
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "seedwise.train.gpu.engine" in loaded
    assert not loaded & {"torch._dynamo", "sympy"}
