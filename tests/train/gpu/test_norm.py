"""The fused batch norm against torch's, one operation at a time."""

import pytest
import torch
from torch import nn

from seedwise.models.blocks import ACTIVATIONS
from seedwise.train.gpu.norm import activate, norm_act


def maps(place, *, channels=6, seed=0, kind=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, channels, 5, 4, generator=generator) * 2 + 1
    return x.to(place, kind).contiguous(memory_format=torch.channels_last).requires_grad_()


def layer(place, channels=6):
    norm = nn.BatchNorm2d(channels, device=place)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 1.5, channels))
        norm.bias.copy_(torch.linspace(-1, 1, channels))
    return norm


def wide(norm):
    copy = nn.BatchNorm2d(norm.num_features, dtype=torch.float64)
    copy.load_state_dict({name: value.cpu() for name, value in norm.state_dict().items()})
    return copy


def both(place, kind, activation, with_add, number):
    """Output, gradients and running statistics: ours, and torch's in float64."""
    norm, x = layer(place), maps(place, seed=1, kind=number)
    add = maps(place, seed=2, kind=number) if with_add else None
    direction = maps(place, seed=3, kind=number).detach()
    ours = norm_act(norm, x, activation, add)
    ours.backward(direction)
    inputs = [t for t in (x, add) if t is not None]
    found = [ours, *(t.grad for t in inputs), norm.weight.grad, norm.bias.grad]
    other = wide(layer(place))
    again = [t.detach().cpu().double().requires_grad_() for t in inputs]
    z = other(again[0])
    z = z + again[1] if with_add else z
    theirs = activation(z) if activation is not None else z
    theirs.backward(direction.cpu().double())
    wanted = [theirs, *(t.grad for t in again), other.weight.grad, other.bias.grad]
    return [*found, norm.running_mean, norm.running_var], [
        *wanted,
        other.running_mean,
        other.running_var,
    ]


@pytest.mark.parametrize("with_add", [False, True])
@pytest.mark.parametrize("name", [*ACTIVATIONS, None])
def test_every_activation_is_torchs(place, name, with_add):
    activation = None if name is None else ACTIVATIONS[name]()
    for found, wanted in zip(*both(place, name, activation, with_add, torch.float32), strict=True):
        torch.testing.assert_close(found.detach().cpu().double(), wanted, rtol=2e-5, atol=2e-5)


def test_bfloat16_is_as_near_as_its_own_rounding(place):
    mish = ACTIVATIONS["mish"]()
    for found, wanted in zip(*both(place, "mish", mish, True, torch.bfloat16), strict=True):
        error = (found.detach().cpu().double() - wanted).norm() / wanted.norm()
        assert error < 6e-3


def test_evaluation_uses_the_running_statistics(place):
    norm, x = layer(place), maps(place)
    norm.running_mean.fill_(0.5)
    norm.running_var.fill_(2.0)
    mish = ACTIVATIONS["mish"]()
    norm.eval()
    with torch.no_grad():
        torch.testing.assert_close(norm_act(norm, x, mish, None), mish(norm(x)))
    assert norm.running_mean[0] == 0.5


def test_addition_and_activation_alone(place):
    mish = ACTIVATIONS["mish"]()
    x, add, direction = maps(place, seed=1), maps(place, seed=2), maps(place, seed=3).detach()
    ours = activate(mish, x, add)
    ours.backward(direction)
    gradients = x.grad.clone(), add.grad.clone()
    x.grad = add.grad = None
    theirs = mish(x + add)
    theirs.backward(direction)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradients, (x.grad, add.grad))


def test_more_rows_than_a_program_takes_and_odd_channels(place):
    norm = nn.BatchNorm2d(65, device=place)
    x = torch.randn(64, 65, 8, 8, generator=torch.Generator().manual_seed(0)).to(place)
    x = x.contiguous(memory_format=torch.channels_last)
    other = wide(norm)
    torch.testing.assert_close(
        norm_act(norm, x, None, None).cpu().double(),
        other(x.cpu().double()),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, in the interpreter
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_so(place, bad):
    x = maps(place).detach()
    x[0, 0, 0, 0] = bad
    out = norm_act(layer(place), x, ACTIVATIONS["mish"](), None)
    assert not torch.isfinite(out[:, 0]).any()
    assert torch.isfinite(out[:, 1:]).all()
