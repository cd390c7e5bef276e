"""The GPU engine: a whole training step as one CUDA graph, replayed without the host.

A captured step makes its batch from pixels that live on the device, runs forward and backward and
takes Ranger's step. All that changes from step to step (which images, which crops, the learning
rate) stands in tables on the device, at the row of a device counter that the step itself moves on.
A capture outlives its run: the next seed resets weights and tables in place.
"""

import copy
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import triton
import triton.language as tl
from numpy import ndarray
from torch import Tensor, nn

from seedwise.data import Data, Draws, draw
from seedwise.models import build, initial_values
from seedwise.models.forward import forward
from seedwise.optim import decayed_before_step
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.shaped import Float16
from seedwise.train.gpu.images import images_for
from seedwise.train.gpu.loss import smoothed_loss
from seedwise.train.gpu.parts import GpuParts, narrowed
from seedwise.train.gpu.update import RangerUpdate

__all__ = ["GraphedModel", "Start", "start_of", "views_in_order"]

_LOOK_EVERY = 50
"""Steps between two looks at the loss: each waits for the device, 50 us of 100 ms."""

_KINDS = {"bf16": torch.bfloat16, "fp16": torch.float16, "float32": torch.float32}

_warm = threading.local()
"""Warm-ups of a thread: libraries keep by thread which kernels they have chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start of a run, all that is random in it included; made on the host.

    Attributes:
        weights: The model's initial state, by name.
        draws: Order, crops and mirroring.
    """

    weights: Mapping[str, Tensor]
    draws: Draws


def start_of(setup: Setup, seed: Seed, data: Data) -> Start:
    """Draw what a run starts from: 0.3 s, which a thread can spend while a model is captured."""
    model = _host_model(setup, len(data.classes))
    weights = model.state_dict() | dict(initial_values(model, seed.init))
    return Start(weights=weights, draws=draw(setup, seed, data))


class GraphedModel:
    """A model with its captured training and validation steps, used again for every seed.

    Args:
        setup: What to train; its optimizer is Ranger.
        data: What to train on.
        device: A CUDA device.
        give_way: Called before every stretch of steps; it may wait.
    """

    kernels = "cuda graph, triton"

    def __init__(
        self,
        setup: Setup,
        data: Data,
        device: torch.device,
        *,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        if device.type == "cuda":
            _wake_triton(device)
        self._setup, self._data, self._device = setup, data, device
        self._give_way = give_way
        self.steps = len(data.train) // setup.batch_size
        self._stream = torch.cuda.Stream(device)
        self._model = copy.deepcopy(_host_model(setup, len(data.classes)))
        with torch.backends.cudnn.flags(
            enabled=True,
            benchmark=False,
            deterministic=bool(setup.deterministic),
            allow_tf32=False,
        ):
            with torch.cuda.stream(self._stream):
                self._place()
                self._warm_up_once()
            self._stream.synchronize()
            self._train_graph = self._captured(self._train_step, None)
            with torch.cuda.stream(self._stream):
                self._update.point_at_gradients()
            self._valid_graph = self._captured(self._valid_step, self._train_graph.pool())
        self._update.forget()

    def _place(self) -> None:
        """Everything that a step reads and writes, at its fixed place on the device."""
        setup, device = self._setup, self._device
        kind, total = _KINDS[setup.precision], setup.epochs * self.steps
        self._model.to(device)
        narrow = {} if kind == torch.float32 else narrowed(self._model, kind)
        self._parts = GpuParts(narrow)
        parameters = list(self._model.parameters())
        # v2 decays all of them, inside the step
        decayed = decayed_before_step(setup, self._model) or parameters
        self._update = RangerUpdate(setup, parameters, narrow, decayed, total)
        self._images = images_for(setup, self._data, device, kind)
        self._targets = torch.from_numpy(self._data.targets).to(device)
        self._losses = torch.zeros(total, device=device)
        self._valid_clock = torch.zeros(1, dtype=torch.int64, device=device)
        batches, batch = self._images.valid_batches, len(self._images.valid)
        shape = (len(self._data.crops) * batches, 2, batch, len(self._data.classes))
        self._logits = torch.zeros(shape, dtype=torch.float16, device=device)

    def _warm_up_once(self) -> None:
        """Warm up for the first model of its kind in this thread."""
        done: set[object] = _warm.__dict__.setdefault("done", set())
        kind = (self._setup, len(self._data.classes), len(self._images.valid), self._device)
        if kind not in done:
            self._warm_up()
            done.add(kind)

    def _warm_up(self) -> None:
        """Each step once without recording: libraries choose kernels, and ours are compiled."""
        with warnings.catch_warnings():
            # the thread of the backward pass has no CUDA context yet
            warnings.filterwarnings("ignore", message="Attempting to run cuBLAS")
            self._train_step()
        self._valid_step()

    def reset(self, start: Start) -> None:
        """Begin a run: its initial weights and its choices, empty moments."""
        with torch.cuda.stream(self._stream), torch.no_grad():
            self._model.load_state_dict(start.weights)
            self._update.reset()
            self._images.begin(start.draws)

    def train_epoch(self, epoch: int, look: Callable[[int, list[float]], None]) -> None:
        """Replay the steps of an epoch, and read the losses now and then."""
        done = 0
        while done < self.steps:
            count = min(_LOOK_EVERY, self.steps - done)
            first = epoch * self.steps + done
            self._give_way()
            with torch.cuda.stream(self._stream):
                for step in range(done, done + count):
                    self._images.before_train(epoch, step)
                    self._train_graph.replay()
                losses = self._losses[first : first + count].tolist()
            done += count
            look(done - 1, losses)

    def validate(self, crops: Sequence[str]) -> Float16[ndarray, "views examples classes"]:
        """Logits of the data's first so many crops, each image as it is and mirrored.

        The clock runs on from crop to crop, through the tables of all of them: more crops are more
        replays of the same graph.
        """
        batches = self._images.valid_batches
        with torch.cuda.stream(self._stream):
            self._valid_clock.zero_()
            for batch in range(len(crops) * batches):
                self._images.before_valid(batch)
                self._valid_graph.replay()
            made = self._logits[: len(crops) * batches]
            return views_in_order(made, len(crops), len(self._data.valid)).cpu().numpy()

    def _captured(self, step: Callable[[], None], pool: Any) -> torch.cuda.CUDAGraph:
        """Record a step. Not by torch.cuda.graph, which would wait for all other runs' work."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._stream):
            graph.capture_begin(pool=pool, capture_error_mode="thread_local")
            try:
                step()
            finally:
                graph.capture_end()
        return graph

    def _train_step(self) -> None:
        update = self._update
        self._images.make_train(update.clock)
        update.forget()
        logits = forward(self._model, self._images.train.permute(0, 3, 1, 2), self._parts)
        loss, root = smoothed_loss(
            logits,
            self._targets,
            self._images.examples,
            update.clock,
            update.scale,
            label_smoothing=self._setup.label_smoothing,
        )
        root.backward()
        self._losses.index_copy_(0, update.clock[:1], loss[None])
        if not torch.cuda.is_current_stream_capturing():
            update.point_at_gradients()
        update.step()

    def _valid_step(self) -> None:
        self._images.make_valid(self._valid_clock)
        images = self._images.valid.permute(0, 3, 1, 2)
        self._model.eval()
        with torch.no_grad():
            views = [forward(self._model, x, self._parts) for x in (images, _mirrored(images))]
        self._model.train()
        self._logits.index_copy_(0, self._valid_clock, torch.stack(views).half()[None])
        self._valid_clock.add_(1)


def views_in_order(logits: Tensor, crops: int, examples: int) -> Tensor:
    """Logits of each batch of each crop as (views, examples, classes), without what fills up.

    Args:
        logits: (crops x batches, as it is and mirrored, batch, classes).
        crops: Their number.
        examples: Number of validation images.
    """
    by_crop = logits.unflatten(0, (crops, -1)).transpose(1, 2)
    return by_crop.flatten(2, 3)[:, :, :examples].flatten(0, 1)


def _mirrored(images: Tensor) -> Tensor:
    return images.flip(-1).contiguous(memory_format=torch.channels_last)


@triton.jit
def _nothing(x):
    tl.store(x, 0)


@lru_cache(maxsize=1)
def _wake_triton(device: torch.device) -> None:
    """Have a thread launch a first kernel, before which Triton digests its own 300 MB: 0.4 s."""
    nothing: Any = _nothing  # a Triton kernel is launched by an index

    def launch() -> None:
        with torch.cuda.stream(torch.cuda.Stream(device)):
            nothing[(1,)](torch.zeros(1, dtype=torch.int32, device=device))

    threading.Thread(target=launch, name="triton").start()


_building = threading.Lock()


def _host_model(setup: Setup, classes: int) -> nn.Module:
    """A model as it is built, kept so: to build one draws weights that are never used, 0.1 s."""
    with _building:
        return _built(setup.model, classes, setup.self_attention, setup.activation)


@lru_cache(maxsize=4)
def _built(name: str, classes: int, self_attention: bool, activation: str) -> nn.Module:
    model = build(name, classes=classes, self_attention=self_attention, activation=activation)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
