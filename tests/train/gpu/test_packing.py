"""Runs side by side on a real GPU, as a study makes them."""

import numpy as np
import pytest
import torch

from helpers.pictures import folders
from seedwise.data import Split, open_data
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store
from seedwise.study import Study

pytestmark = pytest.mark.gpu

SETUP = Setup(model="xresnet10-narrow", epochs=2, batch_size=8, size=32)
SEEDS = 4


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    layout = {f"train/{c}/{i}": 10 * i + n for n, c in enumerate("ab") for i in range(32)}
    layout |= {f"val/{c}/v{i}": 10 * i + n for n, c in enumerate("ab") for i in range(125)}
    return folders(tmp_path_factory.mktemp("data") / "pets", layout)


def made(images, path, **said):
    """The logits of each run of two setups, and how many were made side by side."""
    study = Study(path, dataset=str(images), split="shipped", cache=path.parent / "cache")
    study.run({"mish": SETUP, "relu": SETUP.but(activation="relu")}, seeds=SEEDS, **said)
    with Store.open(path, readonly=True) as store:
        runs = store.runs()
        logits = store.logits([run.id for run in runs])
    beside = {run.made_by.get("side_by_side", 1) for run in runs}
    return {(r.setup, r.seed): one for r, one in zip(runs, logits, strict=True)}, beside


def test_runs_side_by_side_are_the_default_and_each_is_what_it_is_alone(images, tmp_path, cuda):
    packed, beside = made(images, tmp_path / "packed.db", device=cuda, devices=1)
    alone, none = made(images, tmp_path / "alone.db", device=cuda, devices=1, pack=1)
    assert (beside, none) == ({6}, {1})
    assert packed.keys() == alone.keys()
    for key, logits in alone.items():
        np.testing.assert_array_equal(packed[key], logits, err_msg=str(key))


@pytest.mark.parametrize("model", ["xresnet18", "xresnet50"])
def test_a_captured_model_holds_no_more_memory_than_is_reckoned_with(images, model, cuda):
    from seedwise.train.beside import captured_bytes
    from seedwise.train.gpu.engine import GraphedModel, start_of

    setup = Setup(model=model, precision="bf16", deterministic=True, loader="cache")
    data = open_data(str(images), Split.of("shipped"), cache=images.parent / "cache")
    kept = GraphedModel(setup, data, torch.device(cuda))  # kernels compiled, pixels in place
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    another = GraphedModel(setup, data, torch.device(cuda))
    another.reset(start_of(setup, Seed.of(0), data))
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() - before <= captured_bytes(setup)
    del kept
