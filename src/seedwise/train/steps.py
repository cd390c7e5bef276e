"""One training step, in each precision."""
# pyright: reportPrivateImportUsage=false
# torch's multi-tensor operations have no public names

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from seedwise.optim import Update
from seedwise.shaped import Float, Int64

__all__ = ["LossScale", "autocast", "label_smoothed_loss", "train_step"]

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class LossScale:
    """fastai 1's dynamic loss scale: keeps small float16 gradients from vanishing.

    Starts at 2**16, doubles after 1,000 good steps in a row (2**24 at most) and halves on an
    overflow. A step that overflows is left out whole, decay included, as in torch's GradScaler
    (fastai 1 took it with zero gradients).
    """

    START, MOST, PATIENCE = 2.0**16, 2.0**24, 1000

    def __init__(self) -> None:
        self.value = self.START
        self._good_steps = 0

    def backward(self, loss: Float[Tensor, ""], parameters: list[nn.Parameter]) -> bool:
        """Set the gradients of `loss`, unscaled; False if one of them is not finite."""
        (loss * self.value).backward()
        gradients = [p.grad for p in parameters if p.grad is not None]
        torch._foreach_mul_(gradients, 1 / self.value)
        norms = torch.stack(torch._foreach_norm(gradients))
        finite = bool(torch.isfinite(norms).all())
        self._adjust(finite)
        return finite

    def _adjust(self, finite: bool) -> None:
        if not finite:
            self.value, self._good_steps = self.value / 2, 0
            return
        self._good_steps += 1
        if self._good_steps == self.PATIENCE:
            self.value, self._good_steps = min(self.value * 2, self.MOST), 0


def autocast(precision: str, device_type: str) -> AbstractContextManager[object]:
    """The context in which the model runs: float16 or bfloat16 where that loses nothing."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device_type, dtype=_AUTOCAST[precision])


def label_smoothed_loss(
    logits: Float[Tensor, "batch classes"],
    targets: Int64[Tensor, " batch"],
    label_smoothing: float,
) -> Float[Tensor, ""]:
    """Mean cross-entropy against smoothed targets, in float32 at least."""
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return cross_entropy(wide, targets, label_smoothing=label_smoothing)


def train_step(
    model: nn.Module,
    update: Update,
    images: Float[Tensor, "batch channels height width"],
    targets: Int64[Tensor, " batch"],
    *,
    lr: float,
    label_smoothing: float,
    precision: str = "float32",
    scaler: LossScale | None = None,
) -> Float[Tensor, ""]:
    """Forward, backward and update; the model and the optimizer change in place.

    Args:
        model: In training mode, on the device of the images.
        update: The optimizer with the setup's weight decay.
        images: Normalised pixels.
        targets: Class of each image.
        lr: Learning rate of this step.
        label_smoothing: Share of the target spread over all classes, in [0, 1).
        precision: `float32` (the model's own dtype), `bf16` or `fp16`.
        scaler: Loss scale, for `fp16`.

    Returns:
        The loss before the update, detached, still on the device.
    """
    with autocast(precision, images.device.type):
        logits = model(images)
    loss = label_smoothed_loss(logits, targets, label_smoothing)
    update.zero_grad()
    if scaler is None:
        loss.backward()
        update.step(lr)
    elif scaler.backward(loss, list(model.parameters())):
        update.step(lr)
    return loss.detach()
