"""xresnets as the notebook built them: ResNet-D with a 32-64-64 stem.

Source: He et al. (2018), "Bag of tricks for image classification", arXiv 1812.01187; fastai's
`xresnet.py`, with the notebook's stem (today's fastai has 32-32-64).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import nn

from seedwise.errors import UnknownName
from seedwise.models.blocks import ResBlock, conv_layer

__all__ = [
    "MODELS",
    "build",
    "xresnet10_narrow",
    "xresnet18",
    "xresnet18_fastai_stem",
    "xresnet34",
    "xresnet50",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Sizes of an xresnet: channels of the stem, and channels and blocks of each stage."""

    stem: tuple[int, int, int]
    widths: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    bottleneck: bool = False


_STEM, _WIDTHS = (32, 64, 64), (64, 128, 256, 512)
_NARROW = _Plan(stem=(8, 16, 16), widths=(16, 32, 64, 128), blocks=(1, 1, 1, 1))
_18 = _Plan(stem=_STEM, widths=_WIDTHS, blocks=(2, 2, 2, 2))
_18_FASTAI_STEM = _Plan(stem=(32, 32, 64), widths=_WIDTHS, blocks=(2, 2, 2, 2))
_34 = _Plan(stem=_STEM, widths=_WIDTHS, blocks=(3, 4, 6, 3))
_50 = _Plan(stem=_STEM, widths=_WIDTHS, blocks=(3, 4, 6, 3), bottleneck=True)


def xresnet10_narrow(
    classes: int = 10, self_attention: bool = True, activation: str = "mish"
) -> nn.Sequential:
    """One block a stage and a quarter of the channels: for demonstrations and tests."""
    return _xresnet(_NARROW, classes, self_attention, activation)


def xresnet18(
    classes: int = 10, self_attention: bool = True, activation: str = "mish"
) -> nn.Sequential:
    """The notebook's network: 11,232,683 parameters with self-attention and ten classes."""
    return _xresnet(_18, classes, self_attention, activation)


def xresnet18_fastai_stem(
    classes: int = 10, self_attention: bool = True, activation: str = "mish"
) -> nn.Sequential:
    """The notebook's network with fastai's own stem, whose second layer is half as wide."""
    return _xresnet(_18_FASTAI_STEM, classes, self_attention, activation)


def xresnet34(
    classes: int = 10, self_attention: bool = True, activation: str = "mish"
) -> nn.Sequential:
    """3, 4, 6 and 3 basic blocks, of 64 to 512 channels."""
    return _xresnet(_34, classes, self_attention, activation)


def xresnet50(
    classes: int = 10, self_attention: bool = True, activation: str = "mish"
) -> nn.Sequential:
    """3, 4, 6 and 3 bottleneck blocks, with four times the channels at their ends."""
    return _xresnet(_50, classes, self_attention, activation)


def _xresnet(plan: _Plan, classes: int, self_attention: bool, activation: str) -> nn.Sequential:
    first, second, third = plan.stem
    parts: list[nn.Module] = [
        conv_layer(3, first, stride=2, activation=activation),
        conv_layer(first, second, activation=activation),
        conv_layer(second, third, activation=activation),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]
    inputs, expansion = third, 4 if plan.bottleneck else 1
    for stage, (width, count) in enumerate(zip(plan.widths, plan.blocks, strict=True)):
        blocks: list[nn.Module] = []
        for number in range(count):
            blocks.append(
                ResBlock(
                    inputs,
                    width,
                    width * expansion,
                    stride=2 if stage > 0 and number == 0 else 1,
                    bottleneck=plan.bottleneck,
                    self_attention=self_attention and stage == 0 and number == count - 1,
                    activation=activation,
                )
            )
            inputs = width * expansion
        parts.append(nn.Sequential(*blocks))
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes)]
    return nn.Sequential(*parts)


MODELS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "xresnet10-narrow": xresnet10_narrow,
        "xresnet18": xresnet18,
        "xresnet18-fastai-stem": xresnet18_fastai_stem,
        "xresnet34": xresnet34,
        "xresnet50": xresnet50,
    }
)
"""By name, what builds a model from the number of classes, self-attention and activation."""


def build(name: str, *, classes: int, self_attention: bool, activation: str) -> nn.Module:
    """A new model; its weights are undefined until `initialise`.

    Args:
        name: One of `MODELS`.
        classes: Outputs of the last layer.
        self_attention: Simple self-attention after the last block of the first stage.
        activation: Name of the activation function, as in a setup.

    Returns:
        From normalised images, float (batch, 3, size, size), to logits (batch, classes).

    Raises:
        UnknownName: There is no such model or activation.
    """
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    return MODELS[name](classes, self_attention, activation)
