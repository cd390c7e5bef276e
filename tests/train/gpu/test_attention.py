"""The attention in few products against the layer's own forward pass."""

import pytest
import torch

from seedwise.models.blocks import SimpleSelfAttention
from seedwise.train.gpu.attention import attention


def layer(place, kind, channels=8):
    generator = torch.Generator().manual_seed(1)
    made = SimpleSelfAttention(channels).to(place, kind)
    with torch.no_grad():
        for tensor in (made.conv.weight_orig, made.conv.weight_u, made.conv.weight_v):
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        made.gamma.fill_(0.01)
        made.conv.weight_u.div_(made.conv.weight_u.norm())
        made.conv.weight_v.div_(made.conv.weight_v.norm())
    return made


def results(made, run, place, kind, training):
    made.train(training)
    generator = torch.Generator().manual_seed(2)
    x, direction = (
        torch.randn(3, len(made.conv.weight_u), 4, 5, generator=generator).to(place, kind)
        for _ in range(2)
    )
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    out = run(x)
    out.backward(direction)
    gradients = (x.grad, made.conv.weight_orig.grad, made.gamma.grad)
    return [t.cpu().double() for t in (out, *gradients, made.conv.weight_u, made.conv.weight_v)]


@pytest.mark.parametrize("channels", [8, 12, 136])
@pytest.mark.parametrize("training", [True, False])
def test_it_is_the_layers_own(place, training, channels):
    ours, theirs = layer(place, torch.float32, channels), layer("cpu", torch.float64, channels)
    found = results(ours, lambda x: attention(ours, x), place, torch.float32, training)
    wanted = results(theirs, theirs, "cpu", torch.float64, training)
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other.detach(), rtol=1e-4, atol=1e-5)
