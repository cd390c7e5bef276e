"""Optimizers by name, with the weight decay as each recipe really applied it."""
# pyright: reportPrivateImportUsage=false
# torch's multi-tensor operations have no public names

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seedwise.errors import UnknownName
from seedwise.optim.ranger import Ranger
from seedwise.setups import Setup

__all__ = ["OPTIMIZERS", "Update", "build", "decayed_before_step"]

OPTIMIZERS: Mapping[str, Callable[[list[Tensor], Setup], Optimizer]] = MappingProxyType(
    {
        "adam": lambda parameters, setup: torch.optim.Adam(
            parameters, lr=setup.lr, betas=setup.betas, eps=setup.eps
        ),
        "ranger": lambda parameters, setup: Ranger(
            parameters, lr=setup.lr, betas=setup.betas, eps=setup.eps
        ),
        "sgd": lambda parameters, setup: torch.optim.SGD(
            parameters, lr=setup.lr, momentum=setup.betas[0]
        ),
    }
)
"""By name, what makes an optimizer of a model's parameters from a setup, without weight decay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An optimizer and its weight decay: what a training step does with the gradients.

    Attributes:
        optimizer: Its own weight decay is 0, unless it decays inside its step.
        decayed: Parameters that are multiplied by 1 - rate * lr before the optimizer's step.
        rate: The weight decay.
    """

    optimizer: Optimizer
    decayed: tuple[Tensor, ...]
    rate: float

    def step(self, lr: float) -> None:
        """Decay, then step along the gradients, both at this learning rate.

        Args:
            lr: Learning rate of this step.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        if self.decayed and self.rate:
            with torch.no_grad():
                torch._foreach_mul_(self.decayed, 1 - self.rate * lr)
        self.optimizer.step()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad(set_to_none=True)


def build(setup: Setup, model: nn.Module) -> Update:
    """The update of a setup.

    `v1` decays all but batch norms and biases before the step, as fastai 1's OptimWrapper did.
    `v2` decays every parameter: in Ranger after the slow weights were copied, as ranger.py did
    with the rate that fastai 2 handed to it; in the other optimizers before the step.

    Args:
        setup: Says which optimizer, and with what settings.
        model: Its parameters are updated.

    Raises:
        UnknownName: There is no such optimizer.
    """
    if setup.optimizer not in OPTIMIZERS:
        raise UnknownName("optimizer", setup.optimizer, OPTIMIZERS)
    optimizer = OPTIMIZERS[setup.optimizer](list(model.parameters()), setup)
    decayed = decayed_before_step(setup, model)
    if isinstance(optimizer, Ranger) and not decayed:
        for group in optimizer.param_groups:
            group["weight_decay"] = setup.weight_decay
    return Update(optimizer=optimizer, decayed=decayed, rate=setup.weight_decay)


def decayed_before_step(setup: Setup, model: nn.Module) -> tuple[Tensor, ...]:
    """The parameters whose weight decay comes before the optimizer's step, as `build` says.

    It makes no optimizer: torch loads its compiler and sympy with the first one, 900 modules.

    Args:
        setup: Says which optimizer, and how it decays.
        model: Its parameters are chosen from; none of them for Ranger with `v2`.
    """
    if setup.decay_form == "v1":
        return tuple(_all_but_norms_and_biases(model))
    return () if setup.optimizer == "ranger" else tuple(model.parameters())


def _all_but_norms_and_biases(model: nn.Module) -> list[Tensor]:
    return [
        parameter
        for module in model.modules()
        if not isinstance(module, nn.modules.batchnorm._BatchNorm)
        for name, parameter in module.named_parameters(recurse=False)
        if name != "bias"
    ]
