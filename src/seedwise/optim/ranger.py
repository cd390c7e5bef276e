"""Ranger: rectified Adam under a Lookahead.

Source: Liu et al. (2019), "On the variance of the adaptive learning rate and beyond", arXiv
1908.03265 (RAdam); Zhang et al. (2019), "Lookahead optimizer", arXiv 1907.08610; put together in
L. Wright's ranger.py of 2019, which the notebook used and which this one follows step by step.
"""
# pyright: reportPrivateImportUsage=false
# torch's multi-tensor operations have no public names

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["Ranger"]

_RECTIFIABLE = 5
"""Length of the simple moving average above which the adaptive step is taken."""


class Ranger(Optimizer):
    """RAdam's step, and every k-th one a pull of slow weights after which both are equal.

    Args:
        params: Parameters or groups of them; a group may set its own lr, betas, eps, weight_decay.
        lr: Learning rate.
        betas: Decay rates of the moving averages of the gradient and of its square.
        eps: Added to the root of the second moment.
        weight_decay: Decoupled: a step first takes weight_decay * lr * p from a parameter p. The
            slow weights are copied before that.
        k: Steps between two pulls.
        alpha: Share of the way that a pull takes the slow weights.

    Parameters without a gradient are left alone, and their steps not counted.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.95, 0.999),
        eps: float = 1e-5,
        weight_decay: float = 0.0,
        k: int = 6,
        alpha: float = 0.5,
    ) -> None:
        if not (lr > 0 and eps > 0 and 0 <= alpha <= 1 and k >= 1):
            raise ValueError(
                "Ranger needs lr > 0, eps > 0, alpha from 0 to 1 and k of 1 or more, got "
                f"lr={lr}, eps={eps}, alpha={alpha}, k={k}"
            )
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "k": k, "alpha": alpha})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step along the gradients that the parameters hold.

        Args:
            closure: Computes the loss, and its gradients, first; None takes those that are there.

        Returns:
            The loss of the closure; None without one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for count, parameters in self._by_count(group["params"]).items():
                self._step_together(group, count, parameters)
        return loss

    def _by_count(self, parameters: list[Tensor]) -> dict[int, list[Tensor]]:
        """Parameters with a gradient, by the number of the step that each is about to take."""
        together = defaultdict[int, list[Tensor]](list)
        for parameter in parameters:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if not state:
                state["step"] = 0
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
                state["slow"] = parameter.detach().clone()
            state["step"] += 1
            together[state["step"]].append(parameter)
        return together

    def _step_together(self, group: dict[str, Any], count: int, parameters: list[Tensor]) -> None:
        """One step of parameters that have taken as many; a handful of kernels for all."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        means, squares, slow = (
            [self.state[parameter][name] for parameter in parameters]
            for name in ("exp_avg", "exp_avg_sq", "slow")
        )
        beta1, beta2 = group["betas"]
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
        torch._foreach_mul_(means, beta1)
        torch._foreach_add_(means, gradients, alpha=1 - beta1)
        if group["weight_decay"]:
            torch._foreach_add_(parameters, parameters, alpha=-group["weight_decay"] * group["lr"])
        size, adaptive = step_size(count, beta1, beta2)
        if adaptive:
            roots = torch._foreach_sqrt(squares)
            torch._foreach_add_(roots, group["eps"])
            torch._foreach_addcdiv_(parameters, means, roots, value=-size * group["lr"])
        else:
            torch._foreach_add_(parameters, means, alpha=-size * group["lr"])
        if count % group["k"] == 0:
            torch._foreach_lerp_(slow, parameters, group["alpha"])
            torch._foreach_copy_(parameters, slow)


def step_size(count: int, beta1: float, beta2: float) -> tuple[float, bool]:
    """RAdam's factor of the learning rate at step `count` (from 1), and whether it is adaptive.

    Source: arXiv 1908.03265, algorithm 2. Not adaptive while the average is too short for its
    variance to exist: the first five steps at beta2 = 0.99.
    """
    power = beta2**count
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * count * power / (1 - power)
    unbiased = 1 / (1 - beta1**count)
    if length <= _RECTIFIABLE:
        return unbiased, False
    rectified = (length - 4) / (longest - 4) * (length - 2) / length * longest / (longest - 2)
    return math.sqrt((1 - power) * rectified) * unbiased, True
