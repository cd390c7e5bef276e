"""A whole step of the captured kind, taken eagerly, against the plain path's."""

import pytest
import torch

from seedwise.models import build, initialise
from seedwise.models.forward import forward
from seedwise.train.gpu.loss import smoothed_loss
from seedwise.train.gpu.parts import GpuParts, narrowed
from seedwise.train.steps import autocast, label_smoothed_loss

BATCH, SIZE, CLASSES = 16, 32, 3
CHOSEN = [i % 9 for i in range(3, 3 + BATCH)]


def model_on(place):
    model = build("xresnet10-narrow", classes=CLASSES, self_attention=True, activation="mish")
    initialise(model, 3)
    return model.to(place, memory_format=torch.channels_last)


def batch(place):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=generator)
    targets = torch.randint(0, CLASSES, (9,), generator=generator)
    return images.to(place), targets.to(place)


def one_step(place, kind):
    """The loss, and the gradient of every parameter, as wide as the parameter."""
    model = model_on(place)
    narrow = {} if kind == torch.float32 else narrowed(model, kind)
    images, targets = batch(place)
    x = images.to(kind).contiguous(memory_format=torch.channels_last)
    logits = forward(model, x, GpuParts(narrow))
    examples = torch.tensor([0] * BATCH + CHOSEN, dtype=torch.int32, device=place)
    loss, root = smoothed_loss(
        logits,
        targets,
        examples,
        torch.tensor([1, 1], device=place),
        torch.ones(1, device=place),
        label_smoothing=0.1,
    )
    root.backward()
    return loss, [narrow.get(p, p).grad.float() for p in model.parameters()]


def plain_step(place, precision):
    model = model_on(place)
    images, targets = batch(place)
    with autocast(precision, place.type):
        logits = model(images)
    loss = label_smoothed_loss(logits, targets[CHOSEN], 0.1)
    loss.backward()
    return loss, [p.grad for p in model.parameters()]


def apart(some, others):
    """Relative distance of all gradients together."""
    ours, theirs = (torch.cat([g.flatten() for g in gradients]) for gradients in (some, others))
    return ((ours - theirs).norm() / theirs.norm()).item()


def test_in_float32_loss_and_gradients_are_those_of_the_plain_path(place):
    loss, gradients = one_step(place, torch.float32)
    wanted, others = plain_step(place, "float32")
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert apart(gradients, others) < 1e-4


def test_in_bfloat16_they_are_no_farther_off_than_the_plain_paths(place):
    loss, gradients = one_step(place, torch.bfloat16)
    wanted, exact = plain_step(place, "float32")
    _, others = plain_step(place, "bf16")
    assert loss.item() == pytest.approx(wanted.item(), rel=0.02)
    assert apart(gradients, exact) < 1.2 * apart(others, exact)
