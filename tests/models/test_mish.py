import pytest
import torch
from torch.nn.functional import mish

from seedwise.models.mish import Mish

DTYPES = {torch.float32: 1e-6, torch.bfloat16: 2**-8}


def values(dtype, shape=(4, 8, 33, 35), seed=0):
    rng = torch.Generator().manual_seed(seed)
    return (8 * torch.randn(*shape, generator=rng)).to(dtype)


def with_gradient(function, x, weights):
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    out = function(x)
    out.backward(weights.to(out.dtype))
    return out.detach(), x.grad


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("threads", [1, 2])
def test_value_and_gradient_are_those_of_float64(dtype, memory_format, threads):
    x = values(dtype).contiguous(memory_format=memory_format)
    weights = values(torch.float64, seed=1)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        out, gradient = with_gradient(Mish(), x, weights)
    finally:
        torch.set_num_threads(before)
    want, want_gradient = with_gradient(mish, x.double(), weights.to(dtype).double())
    assert out.dtype == dtype
    assert out.stride() == x.stride()
    torch.testing.assert_close(out.double(), want, rtol=DTYPES[dtype], atol=1e-6)
    torch.testing.assert_close(gradient.double(), want_gradient, rtol=DTYPES[dtype], atol=3e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_far_ends_are_zero_and_the_identity(dtype):
    ends = torch.tensor([-1e30, -100.0, 0.0, 50.0, 1e30], dtype=dtype)
    out, gradient = with_gradient(Mish(), ends, torch.ones(5))
    torch.testing.assert_close(out[1:], torch.cat([torch.zeros(2, dtype=dtype), ends[3:]]))
    assert abs(out[0]) <= 1e-5
    torch.testing.assert_close(
        gradient[2:].float(), torch.tensor([0.6, 1.0, 1.0]), atol=4e-3, rtol=0
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_so(dtype, bad):
    """It is how a run is known to have diverged."""
    assert not torch.isfinite(Mish()(torch.full((3,), bad, dtype=dtype))).any()


def test_a_view_with_gaps_and_an_empty_tensor_work():
    x = values(torch.float32)[:, ::2]
    torch.testing.assert_close(Mish()(x), mish(x))
    assert Mish()(x[:0]).shape == x[:0].shape


def test_other_dtypes_are_torchs():
    x = values(torch.float64)
    assert torch.equal(Mish()(x), mish(x))
