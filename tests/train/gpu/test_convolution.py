"""Convolutions by our kernels against torch's in float64."""

import pytest
import torch
from torch import nn

from seedwise.train.gpu import convolution as module
from seedwise.train.gpu.convolution import convolution

OURS = [
    (64, 64, 1, (2, 6, 10)),  # all three products
    (128, 128, 1, (1, 5, 7)),
    (64, 64, 1, (1, 33, 32)),  # the input's gradient only
    (64, 128, 2, (2, 8, 8)),  # forward only, at even and odd sides
    (128, 256, 2, (1, 7, 9)),
]


def numbers(place, *shape, seed=0):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x.to(place, torch.float16).contiguous(memory_format=torch.channels_last)


def case(place, inputs, outputs, stride, shape):
    layer = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    batch, height, width = shape
    x = numbers(place, batch, inputs, height, width, seed=1).requires_grad_()
    return layer, x, (numbers(place, outputs, inputs, 3, 3, seed=2) / 16).requires_grad_()


def error(found, expected):
    return ((found.double().cpu() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("form", OURS, ids=str)
def test_output_and_gradients_are_torchs(place, form):
    layer, x, weight = case(place, *form)
    wide = [t.detach().double().cpu().requires_grad_() for t in (x, weight)]
    expected = nn.functional.conv2d(*wide, stride=layer.stride, padding=1)
    direction = numbers(place, *expected.shape, seed=3)
    expected.backward(direction.double().cpu())
    found = convolution(layer, x, weight)
    found.backward(direction)
    assert found.is_contiguous(memory_format=torch.channels_last)
    theirs = expected, *(t.grad for t in wide)
    for mine, other in zip((found, x.grad, weight.grad), theirs, strict=True):
        assert error(mine, other) < 1e-3
    assert weight.grad.stride() == weight.stride()


def test_programs_that_share_a_weights_gradient_are_added_up(place, monkeypatch):
    monkeypatch.setattr(module, "_PER_PROGRAM", {64: 128})
    layer, x, weight = case(place, 64, 64, 1, (5, 8, 8))  # 320 positions: the last has 64
    wide = [t.detach().double().cpu().requires_grad_() for t in (x, weight)]
    nn.functional.conv2d(*wide, padding=1).sum().backward()
    convolution(layer, x, weight).sum().backward()
    assert error(weight.grad, wide[1].grad) < 1e-3


def test_images_get_no_gradient_unless_they_want_one(place):
    layer, x, weight = case(place, 64, 64, 1, (1, 4, 4))
    convolution(layer, x.detach(), weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(64, 64, 1, bias=False),
        nn.Conv2d(32, 64, 3, padding=1, bias=False),
        nn.Conv2d(64, 64, 3, padding=1, groups=2, bias=False),
        nn.Conv2d(64, 64, 3, padding=2, dilation=2, bias=False),
        nn.Conv2d(64, 64, 3, padding=0, bias=False),
    ],
    ids=str,
)
def test_other_layers_are_torchs(layer):
    x = torch.randn(1, layer.in_channels, 6, 6, dtype=torch.bfloat16)
    weight = layer.weight.detach().bfloat16()
    settings = layer.stride, layer.padding, layer.dilation, layer.groups
    expected = nn.functional.conv2d(x, weight, None, *settings)
    assert torch.equal(convolution(layer, x, weight), expected)


def test_float32_stays_float32(place):
    layer, x, weight = case(place, 64, 64, 1, (1, 4, 4))
    expected = nn.functional.conv2d(x.double(), weight.double(), padding=1)
    assert error(convolution(layer, x.float(), weight.float()), expected.detach().cpu()) < 1e-6
