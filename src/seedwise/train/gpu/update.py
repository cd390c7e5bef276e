"""Ranger's step for all parameters in one launch, and what a captured step counts.

Learning rate and RAdam's coefficients stand in tables; device counters name the rows. With a loss
scale (fp16), a step whose gradients overflow is left out whole, without the host knowing.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false
# a Triton kernel is launched by an index, and its constants are plain numbers there

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import triton
import triton.language as tl
from numpy import ndarray
from torch import Tensor

from seedwise.optim import flat_cos
from seedwise.optim.ranger import step_size
from seedwise.setups import Setup
from seedwise.shaped import Float32
from seedwise.train.steps import LossScale

__all__ = ["RangerUpdate", "ranger_rates", "ranger_sizes"]

_BLOCK = 1024
_K, _ALPHA = 6, 0.5


@triton.jit
def _gradient(address, narrow, inner, count, KIND: tl.constexpr):
    """A gradient's first `count` numbers in float32, whichever of the two precisions it is in."""
    wide_count = tl.where(narrow == 0, count, 0)
    wide = address.to(tl.pointer_type(tl.float32)) + inner
    short = address.to(tl.pointer_type(KIND)) + inner
    g = tl.load(wide, mask=inner < wide_count, other=0.0)
    return g + tl.load(short, mask=inner < count - wide_count, other=0.0).to(tl.float32)


@triton.jit
def _look(gradients, narrow, sizes, owners, begins, bad, KIND: tl.constexpr, BLOCK: tl.constexpr):
    """Set `bad` where a gradient is not finite."""
    block = tl.program_id(0)
    owner = tl.load(owners + block)
    inner = tl.load(begins + block) + tl.arange(0, BLOCK)
    count = tl.load(sizes + owner)
    g = _gradient(tl.load(gradients + owner), tl.load(narrow + owner), inner, count, KIND)
    wrong = tl.where(tl.abs(g) < float("inf"), 0, 1)  # a NaN is not below anything
    tl.atomic_max(bad, tl.max(wrong, axis=0))


@triton.jit
def _ranger(
    parameters,
    copies,
    gradients,
    narrow,
    moments,
    sizes,
    places,
    decays,
    owners,
    begins,
    rates,
    steps,
    clock,
    scale,
    bad,
    total,
    beta1: tl.constexpr,
    beta2: tl.constexpr,
    eps: tl.constexpr,
    alpha: tl.constexpr,
    FIRST: tl.constexpr,
    KIND: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Ranger's step for a block of one parameter; decay before or inside it (FIRST)."""
    block = tl.program_id(0)
    owner = tl.load(owners + block)
    inner = tl.load(begins + block) + tl.arange(0, BLOCK)
    count = tl.where(tl.load(bad) == 0, tl.load(sizes + owner), 0)
    mask = inner < count
    short = tl.load(narrow + owner)
    parameter = tl.load(parameters + owner).to(tl.pointer_type(tl.float32)) + inner
    mean = moments + tl.load(places + owner) + inner
    square = mean + total
    slow = square + total

    row = rates + 2 * tl.load(clock)
    lr = tl.load(row)
    keep = tl.load(row + 1)  # 1 - weight_decay * lr
    row = steps + 4 * tl.load(clock + 1)
    rate = lr * tl.load(row)  # lr times RAdam's step size
    adaptive = tl.load(row + 1)
    pull = tl.load(row + 2)  # 1 where the slow weights are pulled
    begin = tl.load(row + 3)  # 1 at the first step

    p = tl.load(parameter, mask=mask, other=0.0)
    g = _gradient(tl.load(gradients + owner), short, inner, count, KIND) / tl.load(scale)
    keep = tl.where(tl.load(decays + owner) != 0, keep, 1.0)
    if FIRST:
        p = p * keep
    # The slow weights are left alone between two pulls: a quarter less to read and write.
    moved = inner < tl.where(pull + begin != 0, count, 0)
    s = tl.where(begin != 0, p, tl.load(slow, mask=moved, other=0.0))
    m = tl.load(mean, mask=mask, other=0.0) * beta1 + (1 - beta1) * g
    v = tl.load(square, mask=mask, other=0.0) * beta2 + (1 - beta2) * g * g
    if not FIRST:
        p = p * keep
    p = p - rate * m / tl.where(adaptive != 0, tl.sqrt_rn(v) + eps, 1.0)
    pulled = s + alpha * (p - s)
    s = tl.where(pull != 0, pulled, s)
    p = tl.where(pull != 0, pulled, p)
    tl.store(parameter, p, mask=mask)
    tl.store(mean, m, mask=mask)
    tl.store(square, v, mask=mask)
    tl.store(slow, s, mask=moved)
    copy = tl.load(copies + owner).to(tl.pointer_type(KIND)) + inner
    tl.store(copy, p.to(KIND), mask=inner < tl.where(short != 0, count, 0))


@triton.jit
def _advance(clock, scale, good, bad, patience, most, SCALED: tl.constexpr):
    """Count the step, and one that was taken; adjust the loss scale."""
    overflow = tl.load(bad)
    tl.store(clock, tl.load(clock) + 1)
    tl.store(clock + 1, tl.load(clock + 1) + 1 - overflow)
    if SCALED:
        row = tl.where(overflow != 0, 0, tl.load(good) + 1)
        value = tl.load(scale)
        value = tl.where(overflow != 0, value * 0.5, value)
        value = tl.where(row == patience, tl.minimum(value * 2.0, most), value)
        tl.store(scale, value)
        tl.store(good, tl.where(row == patience, 0, row))
        tl.store(bad, 0)


def ranger_rates(setup: Setup, steps: int) -> Float32[ndarray, "steps 2"]:
    """Of each step: the learning rate, and what is left of a weight after its decay."""
    rates = [
        flat_cos(step, steps, setup.lr, flat=setup.flat, form=setup.schedule_form)
        for step in range(steps)
    ]
    return np.array([(lr, 1 - setup.weight_decay * lr) for lr in rates], dtype=np.float32)


def ranger_sizes(setup: Setup, steps: int) -> Float32[ndarray, "steps 4"]:
    """Of each step that is taken: RAdam's step size, whether it is adaptive, a pull, the first."""
    return np.array(
        [
            (*step_size(step + 1, *setup.betas), (step + 1) % _K == 0, step == 0)
            for step in range(steps)
        ],
        dtype=np.float32,
    )


class RangerUpdate:
    """Moments and slow weights of all parameters, and the counters of a run.

    Args:
        setup: Its optimizer is Ranger.
        parameters: float32; their memory must not move.
        narrow: For some of them a narrow copy, which takes the gradient and is kept up to date.
        decayed: Which of them the weight decay is for.
        steps: Steps of a run.

    Attributes:
        clock: int64, two numbers: steps so far, and those of them that were taken.
        scale: float32, one number: what the loss is multiplied by; 1 without fp16.
    """

    def __init__(
        self,
        setup: Setup,
        parameters: Sequence[Tensor],
        narrow: Mapping[Tensor, Tensor],
        decayed: Sequence[Tensor],
        steps: int,
    ) -> None:
        device = parameters[0].device
        self._parameters, self._setup = tuple(parameters), setup
        self._leaves = tuple(narrow.get(p, p) for p in parameters)
        assert all(map(_same_order, self._parameters, self._leaves)), "copies lie as originals"
        self._scaled = setup.precision == "fp16"
        kinds = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}
        self._kind = next((kinds[copy.dtype] for copy in narrow.values()), tl.bfloat16)
        marks = {id(p) for p in decayed}
        self._addresses = _numbers([p.data_ptr() for p in self._parameters], device)
        self._copies = _numbers([leaf.data_ptr() for leaf in self._leaves], device)
        self._gradients = torch.zeros_like(self._addresses)
        self._narrow = torch.tensor([p in narrow for p in parameters], device=device).int()
        self._decays = torch.tensor([id(p) in marks for p in parameters], device=device).int()
        counts = [p.numel() for p in parameters]
        owners = [i for i, n in enumerate(counts) for _ in range(0, n, _BLOCK)]
        self._owners = torch.tensor(owners, dtype=torch.int32, device=device)
        self._begins = torch.tensor(
            [k for n in counts for k in range(0, n, _BLOCK)], dtype=torch.int32, device=device
        )
        self._sizes = torch.tensor(counts, dtype=torch.int32, device=device)
        self._places = _numbers(np.cumsum([0, *counts[:-1]]).tolist(), device)
        self._total = sum(counts)
        self._moments = torch.zeros(3 * self._total, device=device)
        self._rates = torch.from_numpy(ranger_rates(setup, steps)).to(device)
        self._sizes_of_steps = torch.from_numpy(ranger_sizes(setup, steps)).to(device)
        self.clock = torch.zeros(2, dtype=torch.int64, device=device)
        self.scale = torch.ones(1, device=device)
        self._good = torch.zeros(1, dtype=torch.int32, device=device)
        self._bad = torch.zeros(1, dtype=torch.int32, device=device)

    def reset(self) -> None:
        """Before a run: no moments, no steps. The parameters have been set by then."""
        self._moments.zero_()
        self.clock.zero_()
        self._good.zero_()
        self._bad.zero_()
        self.scale.fill_(LossScale.START if self._scaled else 1.0)
        with torch.no_grad():
            for parameter, leaf in zip(self._parameters, self._leaves, strict=True):
                if leaf is not parameter:
                    leaf.copy_(parameter)

    def forget(self) -> None:
        """Drop the gradients: the next backward pass makes new ones, and adds nothing up."""
        for leaf in self._leaves:
            leaf.grad = None

    def point_at_gradients(self) -> None:
        """Say where the gradients are; those of a captured step stay where they were captured."""
        addresses = []
        for leaf in self._leaves:
            gradient = leaf.grad
            assert gradient is not None, "every parameter takes part"
            assert _same_order(leaf, gradient), "gradients lie as their parameters do"
            assert gradient.dtype == leaf.dtype, "gradients are as narrow as what they are of"
            addresses.append(gradient.data_ptr())
        self._gradients.copy_(torch.tensor(addresses))

    def step(self) -> None:
        """Take Ranger's step at the clock's learning rate, and count it."""
        setup, grid = self._setup, (len(self._owners),)
        if self._scaled:
            _look[grid](
                self._gradients,
                self._narrow,
                self._sizes,
                self._owners,
                self._begins,
                self._bad,
                KIND=self._kind,
                BLOCK=_BLOCK,
            )
        _ranger[grid](
            self._addresses,
            self._copies,
            self._gradients,
            self._narrow,
            self._moments,
            self._sizes,
            self._places,
            self._decays,
            self._owners,
            self._begins,
            self._rates,
            self._sizes_of_steps,
            self.clock,
            self.scale,
            self._bad,
            self._total,
            beta1=setup.betas[0],
            beta2=setup.betas[1],
            eps=setup.eps,
            alpha=_ALPHA,
            FIRST=setup.decay_form == "v1",
            KIND=self._kind,
            BLOCK=_BLOCK,
        )
        _advance[(1,)](
            self.clock,
            self.scale,
            self._good,
            self._bad,
            LossScale.PATIENCE,
            LossScale.MOST,
            SCALED=self._scaled,
        )


def _numbers(values: list[int], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.int64, device=device)


def _same_order(a: Tensor, b: Tensor) -> bool:
    """True if two tensors of one shape have their elements in the same order in memory."""
    return a.shape == b.shape and all(
        size == 1 or left == right
        for size, left, right in zip(a.shape, a.stride(), b.stride(), strict=True)
    )
