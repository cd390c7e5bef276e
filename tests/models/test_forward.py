"""The forward pass told in parts is the model's own."""

import pytest
import torch
from torch import nn

from seedwise.models import MODELS, build, initialise
from seedwise.models.forward import forward


class PlainParts:
    """Every part as torch does it."""

    def conv(self, layer, x):
        return layer(x)

    def norm(self, layer, x, activation, add):
        x = layer(x) if add is None else layer(x) + add
        return x if activation is None else activation(x)

    def activate(self, activation, x, add):
        return activation(x + add)

    def attention(self, layer, x):
        return layer(x)

    def pool(self, layer, x):
        return layer(x)

    def head(self, linear, x):
        return linear(x.mean((2, 3)))


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_the_parts_make_the_model(name, attention):
    model = build(name, classes=3, self_attention=attention, activation="relu").double()
    initialise(model, 1)
    torch.nn.init.constant_(
        [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)][-1].weight, 0.5
    )
    model.eval()
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator())
    torch.testing.assert_close(forward(model, images, PlainParts()), model(images))
