"""Label-smoothed cross-entropy and its gradient, in one launch."""
# pyright: reportIndexIssue=false, reportArgumentType=false, reportOperatorIssue=false
# a Triton kernel is launched by an index, and its constants are plain numbers there

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["smoothed_loss"]


@triton.jit
def _row_loss(
    logits,
    targets,
    examples,
    clock,
    scale,
    losses,
    gradients,
    batch,
    classes,
    smoothing,
    C: tl.constexpr,
):
    """The loss of one image, and the gradient of the batch's mean."""
    row = tl.program_id(0)
    c = tl.arange(0, C)
    inside = c < classes
    example = tl.load(examples + tl.load(clock) * batch + row)
    target = tl.load(targets + example)
    z = tl.load(logits + row * classes + c, mask=inside, other=-float("inf")).to(tl.float32)
    below = z - tl.max(z, axis=0)
    powers = tl.exp(below)
    total = tl.sum(powers, axis=0)
    logs = below - tl.log(total)
    wanted = tl.where(c == target, 1.0 - smoothing, 0.0) + smoothing / classes
    tl.store(losses + row, -tl.sum(tl.where(inside, wanted * logs, 0.0), axis=0))
    gradient = (powers / total - wanted) * (tl.load(scale) / batch)
    tl.store(gradients + row * classes + c, gradient.to(gradients.dtype.element_ty), mask=inside)


def smoothed_loss(
    logits: Tensor,
    targets: Tensor,
    examples: Tensor,
    clock: Tensor,
    scale: Tensor,
    *,
    label_smoothing: float,
) -> tuple[Tensor, Tensor]:
    """The mean loss of a step's batch.

    Args:
        logits: (batch, classes), any float dtype.
        targets: int64, class of every image of the dataset.
        examples: int32, the images of all steps, one batch after the other.
        clock: int64, its first number is the step.
        scale: float32, one number: the gradient is multiplied by it.
        label_smoothing: Share of the target spread over all classes, in [0, 1).

    Returns:
        float32, one number each: the loss, detached; and what to call `backward` on, whose
        gradient is that of scale * loss. (Given a gradient, `Tensor.backward` would load sympy:
        a second of a study of twenty.)
    """
    losses, root = _Loss.apply(logits, targets, examples, clock, scale, label_smoothing)
    return losses.detach().mean(), root


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        logits: Tensor,
        targets: Tensor,
        examples: Tensor,
        clock: Tensor,
        scale: Tensor,
        label_smoothing: float,
    ) -> tuple[Tensor, Tensor]:
        batch, classes = logits.shape
        losses = torch.empty(batch, device=logits.device)
        gradient = torch.empty_like(logits)
        _row_loss[(batch,)](
            logits.contiguous(),
            targets,
            examples,
            clock,
            scale,
            losses,
            gradient,
            batch,
            classes,
            label_smoothing,
            C=triton.next_power_of_2(classes),
        )
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(losses)
        return losses, torch.zeros((), device=logits.device)

    @staticmethod
    def backward(ctx: Any, _: Tensor, one: Tensor) -> Any:  # type: ignore[override]
        (gradient,) = ctx.saved_tensors
        return gradient, None, None, None, None, None
