"""Views of a captured validation against the plain engine's, the capture replaced by the step."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch

from helpers.pictures import folders
from seedwise.crops import as_crops
from seedwise.data import Split, open_data
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.train.plain import PlainEngine

pytest.importorskip("triton")

SETUP = Setup(
    model="xresnet10-narrow",
    epochs=1,
    batch_size=2,
    size=16,
    precision="float32",
    deterministic=True,
    loader="cache",
)
NO_GPU = {
    "Stream": mock.MagicMock(),
    "stream": nullcontext,
    "current_stream": mock.MagicMock(),
    "is_current_stream_capturing": lambda: False,
}


@pytest.fixture
def data(tmp_path):
    """Five validation images in batches of two: the last batch of each crop is filled up."""
    layout = {f"train/{c}/{i}": i for c in "ab" for i in range(2)}
    layout |= {f"val/{c}/{i}": 50 + 7 * i for c, many in (("a", 3), ("b", 2)) for i in range(many)}
    pets = folders(tmp_path / "pets", layout)
    found = open_data(str(pets), Split.of("shipped"), cache=tmp_path / "cache")
    return replace(found, crops=as_crops(4))


@pytest.fixture
def graphed(data, monkeypatch):
    """Makes a captured model whose graphs run their step when they are replayed."""
    from seedwise.train.gpu import images
    from seedwise.train.gpu.engine import GraphedModel, start_of

    monkeypatch.setattr(images, "_VALID_BATCH", 2)
    monkeypatch.setattr(
        GraphedModel,
        "_captured",
        lambda self, step, pool: SimpleNamespace(replay=step, pool=lambda: None),
    )
    monkeypatch.setattr(GraphedModel, "_warm_up_once", lambda self: None)
    monkeypatch.setattr("seedwise.train.gpu.update.RangerUpdate.point_at_gradients", mock.Mock())

    def make(memory):
        free = mock.patch.multiple(torch.cuda, **NO_GPU, mem_get_info=lambda device: (0, memory))
        with free:
            model = GraphedModel(SETUP, data, torch.device("cpu"))
            model.reset(start_of(SETUP, Seed.of(0), data))
        return model

    return make


@pytest.mark.skipif(torch.cuda.is_available(), reason="the whole engine is tested there")
def test_a_captured_validation_makes_the_views_of_the_plain_engine(data, graphed):
    plain = PlainEngine(
        SETUP, Seed.of(0), data, device=torch.device("cpu"), threads=1, fused=False
    )
    want = plain.validate(data.crops)
    model = graphed(memory=2**40)
    with mock.patch.multiple(torch.cuda, **NO_GPU):
        two, four, again = (model.validate(data.crops[:n]) for n in (1, 2, 1))
    assert four.shape == (4, 5, 2)
    np.testing.assert_allclose(four.astype(float), want, atol=5e-3)
    np.testing.assert_array_equal(four[:2], two)
    np.testing.assert_array_equal(again, two)
    assert len({view.tobytes() for view in four}) == 4
