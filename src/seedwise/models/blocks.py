"""The parts of an xresnet: convolution layers, residual blocks and simple self-attention.

Names and order of the parameters are those of the notebook's XResNet on fastai layers, so that a
list of its parameters can be read beside one of ours.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from seedwise.errors import UnknownName
from seedwise.models.mish import Mish
from seedwise.shaped import Float

__all__ = ["ACTIVATIONS", "ResBlock", "SimpleSelfAttention", "SpectralConv1d", "conv_layer"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "mish": Mish,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
}


def _activation(name: str) -> nn.Module:
    if name not in ACTIVATIONS:
        raise UnknownName("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


def conv_layer(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, activation: str | None
) -> nn.Sequential:
    """Convolution without bias, batch norm and, if one is named, the activation."""
    parts: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if activation is not None:
        parts.append(_activation(activation))
    return nn.Sequential(*parts)


class SpectralConv1d(nn.Module):
    """A 1x1 convolution over positions whose weight is divided by an estimate of its 2-norm.

    The old hook `torch.nn.utils.spectral_norm`, as fastai used it: one power iteration each time
    the model runs in training mode, none in evaluation, no warm-up of the start vectors (the newer
    `parametrizations.spectral_norm` does 15 iterations first). The gradient flows through sigma
    with both vectors held constant. Source: Miyato et al. (2018), algorithm 1.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight_orig = nn.Parameter(torch.empty(channels, channels, 1))
        self.register_buffer("weight_u", torch.empty(channels))
        self.register_buffer("weight_v", torch.empty(channels))

    def matrix(self) -> Float[Tensor, "channels channels"]:
        """The normalised weight as a matrix; in training mode the vectors move first."""
        weight = self.weight_orig.squeeze(-1)
        if self.training:
            with torch.no_grad():
                self.weight_v.copy_(normalize(weight.t() @ self.weight_u, dim=0, eps=1e-12))
                self.weight_u.copy_(normalize(weight @ self.weight_v, dim=0, eps=1e-12))
        # Clones: another forward pass may overwrite the buffers before this backward reads them.
        sigma = self.weight_u.clone() @ (weight @ self.weight_v.clone())
        return weight / sigma


class SimpleSelfAttention(nn.Module):
    """x + gamma (x x') (W x), for each image's (channels, positions) matrix x.

    Unnormalised, with one weight; gamma starts at 0. Computed as x + G x with the channels x
    channels matrix G = gamma (x x') W: the same product in another order, which leaves one pass
    over the positions out and never promotes the whole map to gamma's float32.
    Source: github.com/sdoria/SimpleSelfAttention, as in fastai's `layers.py`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))
        self.conv = SpectralConv1d(channels)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Images and their attention, of the same shape and dtype."""
        x = images.flatten(2)
        mixing = (x @ x.transpose(1, 2)) @ (self.gamma * self.conv.matrix())
        return images + (mixing.to(x.dtype) @ x).view_as(images)


class ResBlock(nn.Module):
    """activation(convolutions(x) + shortcut(x)), the shortcut as in ResNet-D.

    Args:
        inputs: Channels of the input.
        width: Channels between the convolutions.
        outputs: Channels of the output.
        stride: 1 or 2; a stride of 2 pools the shortcut before its 1x1 convolution.
        bottleneck: 1x1, 3x3, 1x1 convolutions instead of two 3x3.
        self_attention: Attention after the last convolution.
        activation: Name of the activation.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        *,
        stride: int,
        bottleneck: bool,
        self_attention: bool,
        activation: str,
    ) -> None:
        super().__init__()
        if bottleneck:
            path: list[nn.Module] = [
                conv_layer(inputs, width, kernel=1, activation=activation),
                conv_layer(width, width, stride=stride, activation=activation),
                conv_layer(width, outputs, kernel=1, activation=None),
            ]
        else:
            path = [
                conv_layer(inputs, width, stride=stride, activation=activation),
                conv_layer(width, outputs, activation=None),
            ]
        if self_attention:
            path.append(SimpleSelfAttention(outputs))
        self.convpath = nn.Sequential(*path)
        shortcut: list[nn.Module] = []
        if stride != 1:
            shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))
        if inputs != outputs:
            shortcut.append(conv_layer(inputs, outputs, kernel=1, activation=None))
        self.idpath = nn.Sequential(*shortcut)
        self.activation = _activation(activation)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The batch norm whose weight starts at 0, so that the block starts as its shortcut."""
        return [part for part in self.convpath.modules() if isinstance(part, nn.BatchNorm2d)][-1]

    def forward(
        self, images: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs out_height out_width"]:
        """The block's output."""
        return self.activation(self.convpath(images) + self.idpath(images))
