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
import triton

from helpers.interpreter import mend_interpreter

mend_interpreter()
there = set(sys.modules)

from seedwise.data import Split, open_data
from seedwise.setups import Setup
from seedwise.train.beside import captured_bytes
from seedwise.train.gpu.engine import GraphedModel
from seedwise.train.gpu.update import RangerUpdate

setup = Setup(model="xresnet10-narrow", epochs=1, batch_size=4, size=16)
setup = setup.but(precision="bf16", deterministic=True, loader="cache")
folder = Path(sys.argv[1])
data = open_data(str(folder), Split.of("shipped"), cache=folder.parent / "cache")
captured_bytes(setup)
no_gpu = {
    "Stream": mock.MagicMock(),
    "stream": nullcontext,
    "current_stream": mock.MagicMock(),
    "is_current_stream_capturing": lambda: False,
    "mem_get_info": lambda device: (2**30, 2**30),
}
with mock.patch.multiple(torch.cuda, **no_gpu), mock.patch.object(GraphedModel, "_captured"):
    first = GraphedModel(setup, data, torch.device("cpu"))
    with mock.patch.object(RangerUpdate, "point_at_gradients"):  # a capture would have made some
        second = GraphedModel(setup, data, torch.device("cpu"))
assert first._update.clock.tolist() == [1, 1], "it took a step to warm up"
assert second._update.clock.tolist() == [0, 0], "which serves the models after it"
print(*sys.modules)
print(*(set(sys.modules) - there))
"""

MOST = 220
"""Modules beside those of torch and triton: 168 when this was written. numba has 250."""


def test_a_study_waits_for_what_a_capture_needs_and_nothing_else(tmp_path):
    layout = {f"{part}/{c}/{i}": i for part in ("train", "val") for c in "ab" for i in range(2)}
    images = folders(tmp_path / "pets", layout)
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(images)],
        capture_output=True,
        text=True,
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    loaded, besides = (set(line.split()) for line in done.stdout.splitlines())
    assert "seedwise.train.gpu.engine" in loaded
    assert not loaded & {"torch._dynamo", "sympy", "numba", "requests"}
    assert len(besides) < MOST
