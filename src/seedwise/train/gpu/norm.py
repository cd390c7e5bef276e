"""Batch norm, addition and activation in one: two passes over memory forward, two backward.

Torch makes five passes forward (statistics, normalisation, addition, activation, each reading and
writing) and as many backward. The passes themselves are in `norm_kernels`.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false
# a Triton kernel is launched by an index, and its constants are plain numbers there

from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor, nn

from seedwise.train.gpu import norm_kernels
from seedwise.train.gpu.activations import activation_name

__all__ = ["activate", "norm_act"]

_TILE = 2048
"""Numbers of a tile: 16 for each of 128 threads."""

_PROGRAMS = 528
"""Programs that a sum is divided over: four for each multiprocessor of an H100 or H200."""

_SPREAD = 2112
"""Programs that a pass without sums is divided over, unless its tiles are fewer."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """Tiles and programs that maps are cut into."""

    rows: int
    channels: int

    @classmethod
    def of(cls, x: Tensor) -> "_Shape":
        batch, channels, height, width = x.shape
        assert x.is_contiguous(memory_format=torch.channels_last), "maps are channels-last"
        return cls(batch * height * width, channels)

    @property
    def width(self) -> int:
        return min(64, triton.next_power_of_2(self.channels))

    @property
    def height(self) -> int:
        return _TILE // self.width

    @property
    def blocks(self) -> int:
        return triton.cdiv(self.channels, self.width)

    @property
    def per_program(self) -> int:
        return self._whole_tiles(_PROGRAMS)

    @property
    def programs(self) -> int:
        return triton.cdiv(self.rows, self.per_program)

    @property
    def sums(self) -> tuple[int, int]:
        return self.programs, self.blocks

    @property
    def per_spread(self) -> int:
        return self._whole_tiles(_SPREAD)

    @property
    def spread(self) -> tuple[int, int]:
        return triton.cdiv(self.rows, self.per_spread), self.blocks

    def _whole_tiles(self, programs: int) -> int:
        """Rows of each of so many programs."""
        wanted = triton.cdiv(self.rows * self.blocks, programs)
        return triton.cdiv(wanted, self.height) * self.height


_FINISH = 8
"""Channels of a program that adds up sums."""

_SETTLED = 128
"""Channels of a program that needs none."""


def norm_act(
    norm: nn.BatchNorm2d, x: Tensor, activation: nn.Module | None, add: Tensor | None
) -> Tensor:
    """activation(batch norm(x) + add), as torch would do it one by one.

    Args:
        norm: In training mode the batch's statistics are used, and its running ones move.
        x: (batch, channels, height, width), channels-last; float32, bfloat16 or float16.
        activation: One of the catalogue's, or None.
        add: Of the shape and layout of `x`, or None.
    """
    kind = activation_name(activation)
    if norm.training:
        return _NormAct.apply(x, norm.weight, norm.bias, add, norm, kind)
    kept = torch.empty(4, x.shape[1], device=x.device)
    norm_kernels.settled[(triton.cdiv(x.shape[1], _SETTLED),)](
        norm.weight,
        norm.bias,
        norm.running_mean,
        norm.running_var,
        kept,
        x.shape[1],
        norm.eps,
        B=_SETTLED,
    )
    return _applied(x, kept, add, kind)


def activate(activation: nn.Module, x: Tensor, add: Tensor) -> Tensor:
    """activation(x + add); arguments as in `norm_act`."""
    return _Activate.apply(x, add, activation_name(activation))


def _applied(x: Tensor, kept: Tensor | None, add: Tensor | None, kind: str) -> Tensor:
    shape = _Shape.of(x)
    out = torch.empty_like(x)
    norm_kernels.applied[shape.spread](
        x,
        x if kept is None else kept,
        x if add is None else add,
        out,
        shape.rows,
        shape.channels,
        shape.per_spread,
        NORM=kept is not None,
        ADD=add is not None,
        KIND=kind,
        R=shape.height,
        B=shape.width,
    )
    return out


def _as_maps(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


class _NormAct(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        add: Tensor | None,
        norm: nn.BatchNorm2d,
        kind: str,
    ) -> Tensor:
        shape = _Shape.of(x)
        partial = torch.empty(2 * shape.programs, shape.channels, device=x.device)
        kept = torch.empty(4, shape.channels, device=x.device)
        norm_kernels.sums[shape.sums](
            x,
            partial,
            shape.rows,
            shape.channels,
            shape.per_program,
            R=shape.height,
            B=shape.width,
        )
        norm_kernels.statistics[(triton.cdiv(shape.channels, _FINISH),)](
            x,
            partial,
            weight,
            bias,
            norm.running_mean,
            norm.running_var,
            kept,
            shape.rows,
            shape.channels,
            shape.programs,
            norm.eps,
            norm.momentum,
            P=triton.next_power_of_2(shape.programs),
            B=_FINISH,
        )
        out = _applied(x, kept, add, kind)
        ctx.save_for_backward(x, add, kept)
        ctx.kind = kind
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        x, add, kept = ctx.saved_tensors
        gradient = _as_maps(gradient)
        shape = _Shape.of(x)
        partial = torch.empty(2 * shape.programs, shape.channels, device=x.device)
        sums, line = torch.empty(2, 2, shape.channels, device=x.device)
        before = gradient if add is None else torch.empty_like(x)
        norm_kernels.slopes[shape.sums](
            x,
            kept,
            x if add is None else add,
            gradient,
            before,
            partial,
            shape.rows,
            shape.channels,
            shape.per_program,
            NORM=True,
            ADD=add is not None,
            KIND=ctx.kind,
            R=shape.height,
            B=shape.width,
        )
        norm_kernels.gathered[(triton.cdiv(shape.channels, _FINISH),)](
            partial,
            kept,
            sums,
            line,
            shape.rows,
            shape.channels,
            shape.programs,
            P=triton.next_power_of_2(shape.programs),
            B=_FINISH,
        )
        out = torch.empty_like(x)
        norm_kernels.input_gradients[shape.spread](
            x,
            kept,
            before,
            line,
            out,
            shape.rows,
            shape.channels,
            shape.per_spread,
            KIND=ctx.kind if add is None else "none",
            R=shape.height,
            B=shape.width,
        )
        return out, sums[1], sums[0], None if add is None else before, None, None


class _Activate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, add: Tensor, kind: str) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x, add)
        ctx.kind = kind
        return _applied(x, None, add, kind)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        x, add = ctx.saved_tensors
        shape = _Shape.of(x)
        out = torch.empty_like(x)
        norm_kernels.slopes[shape.sums](
            x,
            x,
            add,
            _as_maps(gradient),
            out,
            x,
            shape.rows,
            shape.channels,
            shape.per_program,
            NORM=False,
            ADD=True,
            KIND=ctx.kind,
            R=shape.height,
            B=shape.width,
        )
        return out, out, None
