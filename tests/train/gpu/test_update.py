"""Ranger's captured step on stored gradients, against the optimizer of the plain path."""

import pytest
import torch

from seedwise.optim import Ranger, flat_cos
from seedwise.setups import Setup
from seedwise.train.gpu.update import RangerUpdate

STEPS = 13
"""Five steps without an adaptive step size, two pulls of the slow weights, and one more."""

SHAPES = ((5, 3, 3, 3), (1030,), (7,))
DECAYED = (0, 1)


def numbers(place):
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator).to(place) for shape in SHAPES]
    gradients = [
        [torch.randn(shape, generator=generator).to(place) for shape in SHAPES]
        for _ in range(STEPS)
    ]
    return start, gradients


def parameters_of(start):
    values = [value.clone() for value in start]
    values[0] = values[0].contiguous(memory_format=torch.channels_last)
    return [torch.nn.Parameter(value) for value in values]


def captured(setup, parameters, narrow=()):
    copies = {
        parameters[i]: parameters[i].detach().to(kind).requires_grad_() for i, kind in narrow
    }
    decayed = parameters if setup.decay_form == "v2" else [parameters[i] for i in DECAYED]
    update = RangerUpdate(setup, parameters, copies, decayed, STEPS)
    update.reset()
    leaves = [copies.get(parameter, parameter) for parameter in parameters]

    def step(gradients, factor=1.0):
        for leaf, gradient in zip(leaves, gradients, strict=True):
            leaf.grad = torch.empty_like(leaf).copy_(gradient * factor)
        update.point_at_gradients()
        update.step()

    return update, leaves, step


@pytest.mark.parametrize("form", ["v1", "v2"])
def test_thirteen_steps_are_those_of_the_optimizer(place, form):
    setup = Setup(decay_form=form, schedule_form=form, precision="float32")
    start, gradients = numbers(place)
    ours, theirs = parameters_of(start), parameters_of(start)
    _, _, step = captured(setup, ours)
    inside = setup.weight_decay if form == "v2" else 0.0
    ranger = Ranger(theirs, lr=setup.lr, betas=setup.betas, eps=setup.eps, weight_decay=inside)
    for number, some in enumerate(gradients):
        lr = flat_cos(number, STEPS, setup.lr, form=form)
        ranger.param_groups[0]["lr"] = lr
        for i, parameter in enumerate(theirs):
            if form == "v1" and i in DECAYED:
                parameter.data.mul_(1 - setup.weight_decay * lr)
            parameter.grad = some[i].clone()
        ranger.step()
        step(some)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_a_narrow_copy_takes_the_gradient_and_follows(place):
    setup = Setup(precision="bf16")
    start, gradients = numbers(place)
    ours = parameters_of(start)
    _, leaves, step = captured(setup, ours, narrow=[(0, torch.bfloat16)])
    same = parameters_of(start)
    _, _, wide_step = captured(setup, same)
    for some in gradients:
        rounded = [some[0].bfloat16().float(), *some[1:]]
        step(some)
        wide_step(rounded)
    torch.testing.assert_close(ours[0], same[0])
    torch.testing.assert_close(leaves[0], ours[0].detach().bfloat16())


def test_a_step_that_overflows_is_left_out_whole(place):
    """The same as if its gradients had never come, but for the learning rate, which moves on."""
    setup = Setup(precision="fp16", flat=0.99)
    start, gradients = numbers(place)
    ours, same = parameters_of(start), parameters_of(start)
    narrow = [(0, torch.float16)]
    update, _, step = captured(setup, ours, narrow)
    other, _, other_step = captured(setup, same, narrow)
    assert update.scale.item() == 2.0**16
    for number, some in enumerate(gradients[:6]):
        if number == 2:
            bad = [some[0], some[1].clone(), some[2]]
            bad[1][1029] = float("inf")
            step(bad)
            assert update.scale.item() == 2.0**15
        small = [gradient / 2**16 for gradient in some]
        step(small, factor=update.scale.item())
        other_step(small, factor=other.scale.item())
    for mine, theirs in zip(ours, same, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-5)
    assert (update.clock.tolist(), other.clock.tolist()) == ([7, 6], [6, 6])


def test_the_loss_scale_doubles_after_a_thousand_good_steps(place):
    setup = Setup(precision="fp16")
    start, gradients = numbers(place)
    update, _, step = captured(setup, parameters_of(start))
    update._good.fill_(998)
    step(gradients[0])
    assert update.scale.item() == 2.0**16
    step(gradients[1])
    assert update.scale.item() == 2.0**17
    step(gradients[2])
    assert update.scale.item() == 2.0**17
