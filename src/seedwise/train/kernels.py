"""Triton kernels of the GPU engine: making batches, and Ranger's step.

Both read what changes from step to step out of tables on the device, at the row that a device
counter names: a captured step is then the same launch every time.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false
# a Triton kernel is launched by an index, and its constants are plain numbers there

import torch
import triton
import triton.language as tl
from torch import Tensor

from seedwise.data.augment import MEAN, STD

__all__ = ["ranger_step", "resample"]

_BLOCK = 1024


@triton.jit
def _resample_row(
    flat,
    offsets,
    widths,
    examples,
    starts,
    steps,
    lows,
    highs,
    mirrored,
    clock,
    out,
    batch,
    size,
    mean_red: tl.constexpr,
    mean_green: tl.constexpr,
    mean_blue: tl.constexpr,
    std_red: tl.constexpr,
    std_green: tl.constexpr,
    std_blue: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """One row of one output image: the sparse taps of `data.augment.resample`.

    Positions and weights are float64, as there: in float32 a position of 200 pixels is off by
    8e-6, and a weight that much of 255 levels.
    """
    row = tl.program_id(0)
    b = tl.program_id(1)
    at = tl.load(clock) * batch + b
    example = tl.load(examples + at)
    base = tl.load(offsets + example)
    width = tl.load(widths + example).to(tl.int64)

    step_y = tl.load(steps + 2 * at)
    support_y = tl.maximum(step_y, 1.0)
    centre_y = tl.load(starts + 2 * at) + (row.to(tl.float64) + 0.5) * step_y - 0.5
    first_y = tl.ceil(centre_y - support_y)
    count_y = tl.floor(2 * support_y).to(tl.int32) + 1
    low_y = tl.load(lows + 2 * at)
    high_y = tl.load(highs + 2 * at)

    column = tl.arange(0, COLUMNS)
    step_x = tl.load(steps + 2 * at + 1)
    support_x = tl.maximum(step_x, 1.0)
    centre_x = tl.load(starts + 2 * at + 1) + (column.to(tl.float64) + 0.5) * step_x - 0.5
    first_x = tl.ceil(centre_x - support_x)
    count_x = tl.floor(2 * support_x).to(tl.int32) + 1
    low_x = tl.load(lows + 2 * at + 1)
    high_x = tl.load(highs + 2 * at + 1)

    total_y = centre_y * 0
    for t in range(count_y):
        total_y += tl.maximum(0.0, 1.0 - tl.abs(first_y + t - centre_y) / support_y)
    total_x = centre_x * 0
    for t in range(count_x):
        total_x += tl.maximum(0.0, 1.0 - tl.abs(first_x + t - centre_x) / support_x)

    red = tl.zeros((COLUMNS,), tl.float32)
    green = tl.zeros((COLUMNS,), tl.float32)
    blue = tl.zeros((COLUMNS,), tl.float32)
    for ty in range(count_y):
        distance_y = tl.abs(first_y + ty - centre_y)
        weight_y = tl.maximum(0.0, 1.0 - distance_y / support_y) / total_y
        y = tl.minimum(tl.maximum((first_y + ty).to(tl.int32), low_y), high_y).to(tl.int64)
        line = base + y * width * 3
        for tx in range(count_x):
            distance_x = tl.abs(first_x + tx - centre_x)
            weight_x = tl.maximum(0.0, 1.0 - distance_x / support_x) / total_x
            x = tl.minimum(tl.maximum((first_x + tx).to(tl.int32), low_x), high_x)
            weight = (weight_y * weight_x).to(tl.float32)
            place = flat + line + x.to(tl.int64) * 3
            red += weight * tl.load(place).to(tl.float32)
            green += weight * tl.load(place + 1).to(tl.float32)
            blue += weight * tl.load(place + 2).to(tl.float32)

    turned = tl.load(mirrored + at)
    shown = tl.where(turned != 0, size - 1 - column, column)
    target = out + ((b.to(tl.int64) * size + row) * size + shown) * 3
    inside = column < size
    kind = out.dtype.element_ty
    tl.store(target, ((red - mean_red) / std_red).to(kind), mask=inside)
    tl.store(target + 1, ((green - mean_green) / std_green).to(kind), mask=inside)
    tl.store(target + 2, ((blue - mean_blue) / std_blue).to(kind), mask=inside)


def resample(
    pixels: tuple[Tensor, Tensor, Tensor],
    tables: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor],
    clock: Tensor,
    out: Tensor,
) -> None:
    """Fill `out` with the batch that the clock names.

    Args:
        pixels: uint8 bytes of all images, int64 offset and int32 width of each image.
        tables: For each step and image of the batch: position in the dataset (int32), starts and
            steps (float64, rows then columns), lows and highs (int32), mirrored (uint8).
        clock: int64, one number: the step.
        out: (batch, size, size, 3), any float dtype, contiguous.
    """
    batch, size = out.shape[:2]
    _resample_row[(size, batch)](
        *pixels,
        *tables,
        clock,
        out,
        batch,
        size,
        *MEAN,
        *STD,
        COLUMNS=triton.next_power_of_2(size),
    )


@triton.jit
def _ranger_block(
    parameters,
    gradients,
    moments,
    sizes,
    places,
    decays,
    owners,
    begins,
    coefficients,
    clock,
    total,
    beta1: tl.constexpr,
    beta2: tl.constexpr,
    eps: tl.constexpr,
    alpha: tl.constexpr,
    FIRST: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Ranger's step for a block of one parameter; decay before or inside it (FIRST)."""
    block = tl.program_id(0)
    owner = tl.load(owners + block)
    inner = tl.load(begins + block) + tl.arange(0, BLOCK)
    mask = inner < tl.load(sizes + owner)
    parameter = tl.load(parameters + owner).to(tl.pointer_type(tl.float32)) + inner
    gradient = tl.load(gradients + owner).to(tl.pointer_type(tl.float32)) + inner
    mean = moments + tl.load(places + owner) + inner
    square = mean + total
    slow = square + total

    step = tl.load(clock)
    keep = tl.load(coefficients + 5 * step)  # 1 - weight_decay * lr
    rate = tl.load(coefficients + 5 * step + 1)  # lr * RAdam's step size
    adaptive = tl.load(coefficients + 5 * step + 2)
    pull = tl.load(coefficients + 5 * step + 3)  # 1 where the slow weights are pulled
    begin = tl.load(coefficients + 5 * step + 4)  # 1 at the first step

    p = tl.load(parameter, mask=mask)
    g = tl.load(gradient, mask=mask)
    keep = tl.where(tl.load(decays + owner) != 0, keep, 1.0)
    if FIRST:
        p = p * keep
    s = tl.where(begin != 0, p, tl.load(slow, mask=mask))
    m = tl.load(mean, mask=mask) * beta1 + (1 - beta1) * g
    v = tl.load(square, mask=mask) * beta2 + (1 - beta2) * g * g
    if not FIRST:
        p = p * keep
    p = p - rate * m / tl.where(adaptive != 0, tl.sqrt_rn(v) + eps, 1.0)
    pulled = s + alpha * (p - s)
    s = tl.where(pull != 0, pulled, s)
    p = tl.where(pull != 0, pulled, p)
    tl.store(parameter, p, mask=mask)
    tl.store(mean, m, mask=mask)
    tl.store(square, v, mask=mask)
    tl.store(slow, s, mask=mask)


class _Blocks:
    """Which block of which parameter each program works on."""

    def __init__(self, numbers: list[int], device: torch.device) -> None:
        owners = [i for i, n in enumerate(numbers) for _ in range(0, n, _BLOCK)]
        begins = [k for n in numbers for k in range(0, n, _BLOCK)]
        self.owners = torch.tensor(owners, dtype=torch.int32, device=device)
        self.begins = torch.tensor(begins, dtype=torch.int32, device=device)
        self.sizes = torch.tensor(numbers, dtype=torch.int32, device=device)
        ends = torch.tensor(numbers).cumsum(0)
        self.places = (ends - torch.tensor(numbers)).to(device)
        self.total = int(ends[-1])


class RangerState:
    """Moments and slow weights of all parameters, in one buffer."""

    def __init__(self, parameters: list[Tensor], decayed: set[int]) -> None:
        device = parameters[0].device
        self.parameters = parameters
        self.blocks = _Blocks([p.numel() for p in parameters], device)
        self.moments = torch.zeros(3 * self.blocks.total, device=device)
        self.decays = torch.tensor([id(p) in decayed for p in parameters], device=device)
        self.addresses = torch.tensor([p.data_ptr() for p in parameters], device=device)


def ranger_step(
    state: RangerState,
    gradients: Tensor,
    coefficients: Tensor,
    clock: Tensor,
    *,
    betas: tuple[float, float],
    eps: float,
    alpha: float = 0.5,
    decay_first: bool,
) -> None:
    """Take Ranger's step for all parameters, in one launch.

    Args:
        state: Its parameters' memory must not move.
        gradients: int64, the address of each parameter's float32 gradient, in the parameter's own
            order of memory.
        coefficients: float32 (steps, 5); see `graphs.ranger_coefficients`.
        clock: int64, one number: the step.
        betas: As in `optim.Ranger`.
        eps: As there.
        alpha: As there.
        decay_first: Decay before the slow weights are copied (`v1`) or after (`v2`).
    """
    blocks = state.blocks
    _ranger_block[(len(blocks.owners),)](
        state.addresses,
        gradients,
        state.moments,
        blocks.sizes,
        blocks.places,
        state.decays,
        blocks.owners,
        blocks.begins,
        coefficients,
        clock,
        blocks.total,
        beta1=betas[0],
        beta2=betas[1],
        eps=eps,
        alpha=alpha,
        FIRST=decay_first,
        BLOCK=_BLOCK,
    )
