"""Fused parts against torch's in float64, and against what torch loses in the same precision."""

from collections import Counter

import pytest
import torch
from torch import nn

from seedwise.models import build, initialise
from seedwise.models.blocks import ACTIVATIONS, SimpleSelfAttention
from seedwise.train.cpu.norm import norm_act
from seedwise.train.cpu.parts import FusedModel, attention

DTYPES = [torch.float32, torch.bfloat16]


def images(seed, channels=24, *, dtype, size=(9, 8), batch=6):
    rng = torch.Generator().manual_seed(seed)
    drawn = 3 * torch.randn(batch, channels, *size, generator=rng) + 1
    return drawn.to(dtype).contiguous(memory_format=torch.channels_last)


def one_by_one(layer, x, activation, add):
    out = layer(x) if add is None else layer(x) + add
    return out if activation is None else activation(out)


def norm(dtype, channels=24):
    layer = nn.BatchNorm2d(channels)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(0.5, 2, channels))
        layer.bias.copy_(torch.linspace(-1, 1, channels))
    return layer.to(dtype)


def everything(layer, function, weights, *inputs):
    """Output, all gradients and running statistics, in float64."""
    inputs = [None if x is None else x.clone().requires_grad_() for x in inputs]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=weights.dtype == torch.bfloat16):
        out = function(layer, *inputs)
    out.backward(weights.to(out.dtype))
    figures = {f"to input {i}": x.grad for i, x in enumerate(inputs) if x is not None}
    figures |= {f"to {name}": tensor.grad for name, tensor in layer.named_parameters()}
    figures |= {name: buffer for name, buffer in layer.named_buffers() if buffer.ndim}
    return {name: value.detach().double() for name, value in {"out": out, **figures}.items()}


def apart(got, want):
    """The error's norm as a share of the value's."""
    return {name: ((got[name] - want[name]).norm() / want[name].norm()).item() for name in want}


def through_norm(function, dtype, x, add, weights, activation=None, channels=24):
    act = None if activation is None else ACTIVATIONS[activation]()

    def called(layer, x, add):
        return function(layer, x, act, add)

    return everything(norm(dtype, channels), called, weights, x, add)


def wide(x):
    return None if x is None else x.double()


@pytest.mark.parametrize("activation", ["mish", "relu", "silu", None])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_norm_is_as_near_to_float64_as_torchs(activation, adds, dtype, threads):
    size = (40, 48)  # large enough for a second thread
    x, weights = (images(seed, dtype=dtype, size=size) for seed in (0, 1))
    add = images(2, dtype=dtype, size=size) if adds else None
    want = through_norm(
        one_by_one, torch.float64, x.double(), wide(add), weights.double(), activation
    )
    stock = through_norm(one_by_one, torch.float32, x, add, weights, activation)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fused = through_norm(norm_act, torch.float32, x, add, weights, activation)
    finally:
        torch.set_num_threads(before)
    theirs = apart(stock, want)
    for name, error in apart(fused, want).items():
        assert error < max(1.2 * theirs[name], 1e-6), (name, error, theirs[name])


@pytest.mark.parametrize("channels", [3, 8, 64, 600])
def test_any_number_of_channels_will_do(channels):
    x, weights = (images(seed, channels, dtype=torch.float32, size=(3, 5)) for seed in (0, 1))
    want = through_norm(
        one_by_one, torch.float64, x.double(), None, weights.double(), "mish", channels
    )
    got = through_norm(norm_act, torch.float32, x, None, weights, "mish", channels)
    assert max(apart(got, want).values()) < 1e-6


def test_a_channel_far_from_zero_keeps_its_variance():
    """Mean 1000, standard deviation 3: squares in float32 would leave two digits."""
    x, weights = images(0, dtype=torch.float32) + 1000, images(1, dtype=torch.float32)
    want = through_norm(one_by_one, torch.float64, x.double(), None, weights.double(), "mish")
    got = through_norm(norm_act, torch.float32, x, None, weights, "mish")
    assert max(apart(got, want).values()) < 1e-4


@pytest.mark.parametrize("activation", ["mish", "gelu"])
def test_evaluation_uses_the_running_statistics(activation):
    layer, act = norm(torch.float32), ACTIVATIONS[activation]()
    layer(images(3, dtype=torch.float32))
    layer.eval()
    x, add = (images(seed, dtype=torch.float32) for seed in (4, 5))
    with torch.inference_mode():
        got = norm_act(layer, x, act, add)
        torch.testing.assert_close(got, act(layer(x) + add), rtol=1e-5, atol=1e-5)
    norm_act(layer, x.requires_grad_(), act, None).sum().backward()
    assert x.grad is not None  # with gradients, evaluation is torch's


def test_other_dtypes_are_torchs():
    layer, x = norm(torch.float64), images(0, dtype=torch.float64)
    assert torch.equal(norm_act(layer, x, nn.ReLU(), None), one_by_one(layer, x, nn.ReLU(), None))


@pytest.mark.parametrize("activation", ["mish", "relu", None])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_finite_spoils_its_channel(activation, bad, dtype):
    """It is how a run is known to have diverged."""
    x = images(0, dtype=dtype)
    x[2, 5, 1, 1] = bad
    act = None if activation is None else ACTIVATIONS[activation]()
    out = norm_act(norm(torch.float32), x.requires_grad_(), act, None)
    assert out[:, 5].isnan().all()
    assert out[:, 4].isfinite().all()
    out.sum().backward()
    assert x.grad[:, 5].isnan().all()


def attending():
    layer = SimpleSelfAttention(24)
    rng = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for tensor in (layer.conv.weight_orig, layer.conv.weight_u, layer.conv.weight_v):
            tensor.copy_(torch.randn(tensor.shape, generator=rng))
        layer.gamma.fill_(2e-3)
    return layer


@pytest.mark.parametrize("dtype", DTYPES)
def test_attention_is_as_near_to_float64_as_torchs(dtype):
    """Over eight draws: the gradient of gamma is one number, whose error is luck in each."""
    squares = {attention: Counter(), SimpleSelfAttention.forward: Counter()}
    for draw in range(8):
        x, weights = (images(2 * draw + i, dtype=dtype) for i in (0, 1))
        want = everything(
            attending().double(), SimpleSelfAttention.forward, weights.double(), x.double()
        )
        for function, sums in squares.items():
            errors = apart(everything(attending(), function, weights, x), want)
            sums.update({name: error**2 for name, error in errors.items()})
    for name, square in squares[attention].items():
        theirs = squares[SimpleSelfAttention.forward][name]
        assert square**0.5 < max(1.1 * theirs**0.5, 1e-6), (name, square, theirs)


def trained_once(wrap, precision, batch):
    model = build("xresnet18", classes=10, self_attention=True, activation="mish")
    initialise(model, 0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("gamma", "1.weight")):
                parameter.add_(1e-2)  # else the blocks' paths give nothing and get no gradient
    kind = torch.float64 if precision == "float64" else torch.float32
    model = model.to(dtype=kind, memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        logits = wrap(model)(batch.to(kind))
    logits.double().square().sum().backward()
    gradients = [parameter.grad.double().flatten() for parameter in model.parameters()]
    return {"logits": logits.detach().double(), "gradients": torch.cat(gradients)}


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_whole_model_is_as_near_to_float64_as_torchs(precision):
    batch = images(0, 3, dtype=torch.float32, size=(64, 64), batch=8)
    want = trained_once(nn.Identity(), "float64", batch)
    theirs = apart(trained_once(nn.Identity(), precision, batch), want)
    for name, error in apart(trained_once(FusedModel, precision, batch), want).items():
        assert error < 1.1 * theirs[name], (name, error, theirs[name])
