"""An xresnet's forward pass, told in the few parts that a fast engine does its own way.

`forward(model, images, parts)` computes what `model(images)` does, but hands each piece of work to
`parts`: an engine fuses a batch norm with the addition and the activation behind it, or multiplies
in another precision, and leaves the model and its parameters as they are.
"""

from typing import Any, Protocol

from torch import Tensor, nn

from seedwise.models.blocks import ResBlock, SimpleSelfAttention
from seedwise.shaped import Float

__all__ = ["Parts", "forward"]

Maps = Float[Tensor, "batch channels height width"]


class Parts(Protocol):
    """Implementations of the pieces of a forward pass."""

    def conv(self, layer: nn.Conv2d, x: Maps) -> Maps:
        """The convolution; none in these models has a bias."""
        ...

    def norm(
        self, layer: nn.BatchNorm2d, x: Maps, activation: nn.Module | None, add: Maps | None
    ) -> Maps:
        """activation(batch norm of x + add); the running statistics move in training mode."""
        ...

    def activate(self, activation: nn.Module, x: Maps, add: Maps) -> Maps:
        """activation(x + add)."""
        ...

    def attention(self, layer: SimpleSelfAttention, x: Maps) -> Maps:
        """The layer's output."""
        ...

    def pool(self, layer: nn.MaxPool2d | nn.AvgPool2d, x: Maps) -> Maps:
        """The layer's output."""
        ...

    def head(self, linear: nn.Linear, x: Maps) -> Float[Tensor, "batch classes"]:
        """The linear layer of each channel's mean."""
        ...


def forward(model: nn.Module, images: Maps, parts: Parts) -> Float[Tensor, "batch classes"]:
    """Logits of a model of this catalogue."""
    pieces: Any = model  # torch types the parts of a Sequential as Module, whatever they are
    *body, _, _, linear = pieces
    x = images
    for piece in body:
        if isinstance(piece, nn.MaxPool2d):
            x = parts.pool(piece, x)
        elif isinstance(piece[0], ResBlock):
            for block in piece:
                x = _block(block, x, parts)
        else:
            x = _conv_layer(piece, x, parts)
    return parts.head(linear, x)


def _conv_layer(layer: Any, x: Maps, parts: Parts) -> Maps:
    conv, norm, *activation = layer
    return parts.norm(norm, parts.conv(conv, x), activation[0] if activation else None, None)


def _block(block: ResBlock, x: Maps, parts: Parts) -> Maps:
    shortcut = x
    idpath: Any = block.idpath
    convpath: Any = block.convpath
    for piece in idpath:
        if isinstance(piece, nn.AvgPool2d):
            shortcut = parts.pool(piece, shortcut)
        else:
            shortcut = _conv_layer(piece, shortcut, parts)
    *before, last = convpath
    for piece in before:
        x = _conv_layer(piece, x, parts)
    if isinstance(last, SimpleSelfAttention):
        return parts.activate(block.activation, parts.attention(last, x), shortcut)
    conv, norm = last
    return parts.norm(norm, parts.conv(conv, x), block.activation, shortcut)
