"""Batches made on the device, from pixels that live there.

What changes from step to step stands in tables on the device, and a device counter names the row:
a captured step is then the same launch every time.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false
# a Triton kernel is launched by an index, and its constants are plain numbers there

import triton
import triton.language as tl
from torch import Tensor

from seedwise.data.augment import MEAN, STD

__all__ = ["resample"]


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
    """One row of one output image: the sparse taps of `data.resampling.resample`.

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
