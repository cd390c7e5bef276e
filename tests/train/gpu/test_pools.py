"""Poolings against torch's."""

import pytest
import torch
from torch import nn

from seedwise.train.gpu.pools import pool

LAYERS = {
    "max": nn.MaxPool2d(3, stride=2, padding=1),
    "mean": nn.AvgPool2d(2, ceil_mode=True),
    "another": nn.MaxPool2d(2),
}


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("max", (8, 6)),
        ("max", (7, 5)),
        ("max", (1, 1)),
        ("mean", (8, 6)),
        ("mean", (7, 5)),
        ("mean", (1, 1)),
        ("another", (8, 6)),
    ],
)
def test_output_and_gradient_are_torchs(place, name, sides):
    layer, generator = LAYERS[name], torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, *sides, generator=generator).to(place)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    out = pool(layer, x)
    direction = torch.randn(out.shape, generator=generator).to(place)
    out.backward(direction)
    gradient, x.grad = x.grad, None
    wanted = layer(x)
    wanted.backward(direction)
    torch.testing.assert_close(out, wanted)
    torch.testing.assert_close(gradient, x.grad)


def test_a_nan_stays(place):
    x = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0)).to(place)
    x[0, 1, 2, 2] = float("nan")
    out = pool(LAYERS["max"], x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(out, LAYERS["max"](x), equal_nan=True)
