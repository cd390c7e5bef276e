"""The GPU engine: a whole training step as one CUDA graph, replayed without the host.

A captured step makes its batch from pixels that live on the device, runs forward and backward and
takes Ranger's step. All that changes from step to step (which images, which crops, the learning
rate) stands in tables on the device, at the row of a device counter that the step itself moves on.
A capture outlives its run: the next seed resets weights and tables in place.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float16, Float32
from numpy import ndarray
from torch import Tensor, nn

from seedwise.data import Data, Windows, centre_windows, crop_windows, draw
from seedwise.models import build, initialise
from seedwise.optim import build as build_update
from seedwise.optim import flat_cos
from seedwise.optim.ranger import step_size
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.train.kernels import RangerState, ranger_step, resample
from seedwise.train.steps import label_smoothed_loss

__all__ = ["GraphedModel", "borrowed", "fits", "ranger_coefficients"]

_VALID_BATCH = 250
_WARM_UPS = 3
_LOOK_EVERY = 50
"""Steps between two looks at the loss: each waits for the device, 50 us of 150 ms."""


def fits(setup: Setup, data: Data, device: torch.device) -> bool:
    """Whether a run can be made by this engine; else the plain path makes it."""
    if device.type != "cuda" or setup.optimizer != "ranger" or setup.precision == "fp16":
        return False
    if setup.loader != "cache":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return data.pixels.flat.nbytes < free / 2


@dataclass(frozen=True, slots=True, eq=False)
class _DevicePixels:
    """A dataset's pixels on the device."""

    flat: Tensor
    offsets: Tensor
    widths: Tensor

    @property
    def all(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.flat, self.offsets, self.widths


class _Tables:
    """What the resampling kernel reads for each step, at fixed addresses."""

    def __init__(self, steps: int, batch: int, device: torch.device) -> None:
        def table(dtype: torch.dtype, *more: int) -> Tensor:
            return torch.zeros(steps * batch, *more, dtype=dtype, device=device)

        self.all = (
            table(torch.int32),
            table(torch.float64, 2),
            table(torch.float64, 2),
            table(torch.int32, 2),
            table(torch.int32, 2),
            table(torch.uint8),
        )

    def fill(self, examples: ndarray, windows: Windows, mirrored: ndarray) -> None:
        """Put a run's choices in place."""
        values = (
            examples.astype(np.int32),
            windows.starts,
            windows.steps,
            windows.lows,
            windows.highs,
            mirrored.astype(np.uint8),
        )
        for table, value in zip(self.all, values, strict=True):
            table.copy_(torch.from_numpy(np.ascontiguousarray(value)))


class GraphedModel:
    """A model with its captured training and validation steps, used again for every seed."""

    kernels = "cuda graph, triton"

    def __init__(self, setup: Setup, data: Data, device: torch.device) -> None:
        self._setup, self._device = setup, device
        self.steps = len(data.train) // setup.batch_size
        self._stream = torch.cuda.Stream(device)
        self._host_model, self._model = (_built(setup, data) for _ in range(2))
        with torch.cuda.stream(self._stream):
            self._model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._build_training(data)
            self._build_validation(data)
            self._warm_up()
        self._stream.synchronize()
        self._train_graph = self._captured(self._train_step)
        self._point_at_gradients()
        self._valid_graph = self._captured(self._valid_step)

    def reset(self, seed: Seed, data: Data) -> None:
        """Start a run: this seed's initial weights and choices, empty moments."""
        setup = self._setup
        initialise(self._host_model, seed.init)
        draws = draw(setup, seed, data)
        windows = crop_windows(draws.boxes.reshape(-1, 4), setup.size)
        with torch.cuda.stream(self._stream), torch.no_grad():
            # the host's model is never trained: its batch-norm statistics are those of the start
            self._model.load_state_dict(self._host_model.state_dict())
            self._ranger.moments.zero_()
            self._tables.fill(draws.examples.ravel(), windows, draws.mirrored.ravel())
            self._clock.zero_()

    def train_epoch(self, epoch: int, look: Callable[[int, list[float]], None]) -> None:
        """Replay the steps of an epoch, and read the losses now and then."""
        done = 0
        while done < self.steps:
            count = min(_LOOK_EVERY, self.steps - done)
            first = epoch * self.steps + done
            with torch.cuda.stream(self._stream):
                for _ in range(count):
                    self._train_graph.replay()
                losses = self._losses[first : first + count].tolist()
            done += count
            look(done - 1, losses)

    def validate(self) -> Float16[ndarray, "views examples classes"]:
        """Logits of both views of every validation image."""
        with torch.cuda.stream(self._stream):
            self._valid_clock.zero_()
            for _ in range(len(self._logits)):
                self._valid_graph.replay()
            logits = self._logits.transpose(0, 1).flatten(1, 2)[:, : self._valid_count]
            return logits.cpu().numpy()

    def _build_training(self, data: Data) -> None:
        """What a training step reads and writes, each at its fixed place on the device."""
        setup, device = self._setup, self._device
        total = setup.epochs * self.steps
        self._pixels = _device_pixels(_Identity(data), device)
        self._targets = torch.from_numpy(data.targets).to(device)
        self._images = self._empty_images(setup.batch_size)
        self._tables = _Tables(total, setup.batch_size, device)
        self._rows = torch.arange(setup.batch_size, device=device)
        coefficients = torch.from_numpy(ranger_coefficients(setup, self.steps))
        self._coefficients = coefficients.to(device)
        self._losses = torch.zeros(total, device=device)
        self._clock = torch.zeros(1, dtype=torch.int64, device=device)
        self._parameters: list[Tensor] = list(self._model.parameters())
        decayed = {id(parameter) for parameter in build_update(setup, self._model).decayed}
        if setup.decay_form == "v2":
            decayed = {id(parameter) for parameter in self._parameters}
        self._ranger = RangerState(self._parameters, decayed)
        self._gradients = torch.zeros(len(self._parameters), dtype=torch.int64, device=device)

    def _build_validation(self, data: Data) -> None:
        count, size = len(data.valid), self._setup.size
        batch = min(_VALID_BATCH, count)
        batches = -(-count // batch)
        # the last batch is filled up with the first images; their logits are cut off
        examples = np.resize(data.valid, batches * batch)
        heights, widths = data.pixels.heights[examples], data.pixels.widths[examples]
        self._valid_tables = _Tables(batches, batch, self._device)
        self._valid_tables.fill(
            examples, centre_windows(heights, widths, size=size), np.zeros(len(examples))
        )
        self._valid_images = self._empty_images(batch)
        self._valid_clock = torch.zeros(1, dtype=torch.int64, device=self._device)
        shape = (batches, len(VIEWS), batch, len(data.classes))
        self._logits = torch.zeros(shape, dtype=torch.float16, device=self._device)
        self._valid_count = count

    def _empty_images(self, batch: int) -> Tensor:
        kind = torch.bfloat16 if self._setup.precision == "bf16" else torch.float32
        size = self._setup.size
        return torch.empty(batch, size, size, 3, dtype=kind, device=self._device)

    def _warm_up(self) -> None:
        """Let libraries choose and kernels compile before anything is recorded."""
        for _ in range(_WARM_UPS):
            self._clock.zero_()
            self._train_step()
        self._valid_step()

    def _captured(self, step: Callable[[], None]) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            step()
        return graph

    def _train_step(self) -> None:
        setup = self._setup
        resample(self._pixels.all, self._tables.all, self._clock, self._images)
        examples = self._tables.all[0][self._clock * setup.batch_size + self._rows]
        for parameter in self._parameters:
            parameter.grad = None
        with self._precision():
            logits = self._model(self._images.permute(0, 3, 1, 2))
        loss = label_smoothed_loss(logits, self._targets[examples.long()], setup.label_smoothing)
        loss.backward()
        if not torch.cuda.is_current_stream_capturing():
            self._point_at_gradients()
        ranger_step(
            self._ranger,
            self._gradients,
            self._coefficients,
            self._clock,
            betas=setup.betas,
            eps=setup.eps,
            decay_first=setup.decay_form == "v1",
        )
        self._losses.index_copy_(0, self._clock, loss.detach().view(1))
        self._clock.add_(1)

    def _point_at_gradients(self) -> None:
        """Say where the gradients are; those of a captured step stay where they were captured."""
        addresses = []
        for parameter in self._parameters:
            gradient = parameter.grad
            assert gradient is not None, "every parameter takes part"
            assert _same_order(parameter, gradient), "gradients lie as their parameters do"
            addresses.append(gradient.data_ptr())
        with torch.cuda.stream(self._stream):
            self._gradients.copy_(torch.tensor(addresses))

    def _valid_step(self) -> None:
        resample(self._pixels.all, self._valid_tables.all, self._valid_clock, self._valid_images)
        images = self._valid_images.permute(0, 3, 1, 2)
        self._model.eval()
        with torch.no_grad(), self._precision():
            views = torch.stack([self._model(images), self._model(images.flip(-1))])
        self._model.train()
        self._logits.index_copy_(0, self._valid_clock, views.half()[None])
        self._valid_clock.add_(1)

    def _precision(self) -> AbstractContextManager[object]:
        if self._setup.precision == "float32":
            return nullcontext()
        # without the cache of casts: it would hold tensors of one capture for the next
        return torch.autocast("cuda", dtype=torch.bfloat16, cache_enabled=False)


def _built(setup: Setup, data: Data) -> nn.Module:
    return build(
        setup.model,
        classes=len(data.classes),
        self_attention=setup.self_attention,
        activation=setup.activation,
    )


def _same_order(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors of one shape have their elements in the same order in memory."""
    return a.shape == b.shape and all(
        size == 1 or left == right
        for size, left, right in zip(a.shape, a.stride(), b.stride(), strict=True)
    )


def ranger_coefficients(setup: Setup, steps: int) -> Float32[ndarray, "steps 5"]:
    """What Ranger's kernel needs to know of each step.

    Columns: 1 - weight_decay * lr; lr times RAdam's step size; 1 where the step is adaptive; 1
    where the slow weights are pulled (every sixth step); 1 at the first step.
    """
    total = setup.epochs * steps
    rows = []
    for step in range(total):
        lr = flat_cos(step, total, setup.lr, flat=setup.flat, form=setup.schedule_form)
        size, adaptive = step_size(step + 1, *setup.betas)
        rows.append(
            (1 - setup.weight_decay * lr, lr * size, adaptive, (step + 1) % 6 == 0, step == 0)
        )
    return np.array(rows, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Identity:
    """A dataset as a key: by what it is, not by what it holds."""

    data: Data

    def __hash__(self) -> int:
        return hash((self.data.fingerprint, self.data.pixels.flat.nbytes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and hash(self) == hash(other)


@lru_cache(maxsize=1)
def _device_pixels(key: _Identity, device: torch.device) -> _DevicePixels:
    pixels = key.data.pixels
    return _DevicePixels(
        torch.from_numpy(np.asarray(pixels.flat)).to(device),
        torch.from_numpy(pixels.offsets).to(device),
        torch.from_numpy(pixels.widths).to(device),
    )


_idle: dict[object, list[GraphedModel]] = {}
_making = threading.Lock()
"""Captures are made one at a time: cuDNN's switches and the allocator are the process's."""


@contextmanager
def borrowed(
    setup: Setup, seed: Seed, data: Data, device: torch.device
) -> Generator[GraphedModel]:
    """A captured model at the start of a run, which no other run is using.

    Captured now if there is none of this setup. One whose run ends with an error is not used
    again.
    """
    key = (setup, _Identity(data), data.split, device)
    with _making:
        waiting = _idle.setdefault(key, [])
        if waiting:
            model = waiting.pop()
        else:
            with torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=bool(setup.deterministic)
            ):
                model = GraphedModel(setup, data, device)
    model.reset(seed, data)
    yield model
    waiting.append(model)
