"""Validation: logits of the views of every validation image, and the figures they give."""

from collections.abc import Iterator

import torch
from numpy import ndarray
from torch import Tensor, nn

from seedwise.shaped import Float, Float16, Int64
from seedwise.stats.metrics import accuracy, smoothed_accuracy
from seedwise.train.steps import autocast, label_smoothed_loss

__all__ = ["figures", "validation_logits"]


def validation_logits(
    model: nn.Module,
    batches: Iterator[Float[Tensor, "batch channels height width"]],
    *,
    precision: str,
) -> Float16[ndarray, "two examples classes"]:
    """Logits of each image as it is and mirrored, as they are stored.

    Args:
        model: Any mode; left in training mode.
        batches: Normalised images on the model's device, all of them in order.
        precision: As in training.

    Returns:
        float16, the images as they are first. What does not fit becomes infinite.
    """
    model.eval()
    kept: list[Tensor] = []
    with torch.inference_mode():
        for images in batches:
            with autocast(precision, images.device.type):
                views = [model(images), model(images.flip(-1))]
            kept.append(torch.stack(views).half())
    model.train()
    return torch.cat(kept, dim=1).cpu().numpy()


def figures(
    logits: Float16[ndarray, "views examples classes"],
    targets: Int64[ndarray, " examples"],
    *,
    label_smoothing: float,
) -> tuple[float, float, float]:
    """Label-smoothed loss, accuracy and smoothed accuracy; each view counts as an example."""
    flat = torch.from_numpy(logits).flatten(0, 1)
    loss = label_smoothed_loss(
        flat, torch.from_numpy(targets).repeat(len(logits)), label_smoothing
    )
    return loss.item(), float(accuracy(logits, targets)), float(smoothed_accuracy(logits, targets))
