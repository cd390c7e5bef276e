"""The first convolution against torch's in float64."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from seedwise.train.gpu.stem import fits, stem


def images(place, shape, kind=torch.float16):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return x.to(place, kind).contiguous(memory_format=torch.channels_last)


def error(found, expected):
    return ((found.double().cpu() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (3, 3, 9, 6), (1, 3, 31, 33)], ids=str)
@pytest.mark.parametrize("channels", [8, 32, 40])
def test_output_and_gradient_are_torchs(place, shape, channels):
    x = images(place, shape)
    weight = images(place, (channels, 3, 3, 3)).requires_grad_()
    wide = weight.detach().double().cpu().requires_grad_()
    expected = conv2d(x.double().cpu(), wide, stride=2, padding=1)
    direction = images(place, expected.shape)
    expected.backward(direction.double().cpu())
    found = stem(x, weight)
    found.backward(direction)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert error(found, expected) < 1e-3
    assert weight.grad.stride() == weight.stride()
    assert error(weight.grad, wide.grad) < 1e-3


def test_two_backward_passes_agree_to_the_last_bit(place):
    gradients = []
    for _ in range(2):
        weight = images(place, (32, 3, 3, 3)).requires_grad_()
        stem(images(place, (4, 3, 32, 32)), weight).square().sum().backward()
        gradients.append(weight.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False), torch.float16),
        (nn.Conv2d(3, 8, 3, stride=1, padding=1, bias=False), torch.float16),
        (nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False), torch.float16),
        (nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=True), torch.float16),
        (nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), torch.float32),
    ],
    ids=str,
)
def test_other_layers_and_float32_are_left_to_cudnn(layer, kind):
    assert not fits(layer, torch.zeros(1, layer.in_channels, 8, 8, dtype=kind))


def test_an_xresnets_first_layer_fits():
    layer = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False)
    x = torch.zeros(1, 3, 8, 8, dtype=torch.float16)
    assert fits(layer, x)
    assert not fits(layer, x.requires_grad_())
