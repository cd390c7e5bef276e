"""The GPU engine: a whole training step as one CUDA graph, replayed without the host.

A captured step makes its batch from pixels that live on the device, runs forward and backward and
takes Ranger's step. All that changes from step to step (which images, which crops, the learning
rate) stands in tables on the device, at the row of a device counter that the step itself moves on.
A capture outlives its run: the next seed resets weights and tables in place.
"""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float16
from numpy import ndarray
from torch import Tensor, nn

from seedwise.data import Data, draw
from seedwise.models import build, initialise
from seedwise.models.forward import forward
from seedwise.optim import decayed_before_step
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.train.gpu.images import images_for
from seedwise.train.gpu.loss import smoothed_loss
from seedwise.train.gpu.parts import GpuParts, narrowed
from seedwise.train.gpu.update import RangerUpdate

__all__ = ["GraphedModel"]

_LOOK_EVERY = 50
"""Steps between two looks at the loss: each waits for the device, 50 us of 100 ms."""

_KINDS = {"bf16": torch.bfloat16, "fp16": torch.float16, "float32": torch.float32}


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
        self._setup, self._data, self._device = setup, data, device
        self._give_way = give_way
        self.steps = len(data.train) // setup.batch_size
        self._stream = torch.cuda.Stream(device)
        self._host_model = _built(setup, data)
        self._model = copy.deepcopy(self._host_model)
        with torch.backends.cudnn.flags(
            enabled=True,
            benchmark=False,
            deterministic=bool(setup.deterministic),
            allow_tf32=False,
        ):
            with torch.cuda.stream(self._stream):
                self._place()
                self._warm_up()
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
        self._model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
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
        shape = (batches, len(VIEWS), batch, len(self._data.classes))
        self._logits = torch.zeros(shape, dtype=torch.float16, device=device)

    def _warm_up(self) -> None:
        """Each step once without recording: libraries choose kernels, and ours are compiled."""
        with warnings.catch_warnings():
            # the thread of the backward pass has no CUDA context yet
            warnings.filterwarnings("ignore", message="Attempting to run cuBLAS")
            self._train_step()
        self._valid_step()

    def reset(self, seed: Seed) -> None:
        """Start a run: this seed's initial weights and choices, empty moments."""
        initialise(self._host_model, seed.init)
        draws = draw(self._setup, seed, self._data)
        with torch.cuda.stream(self._stream), torch.no_grad():
            # the host's model is never trained: its batch-norm statistics are those of the start
            self._model.load_state_dict(self._host_model.state_dict())
            self._update.reset()
            self._images.begin(draws)

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

    def validate(self) -> Float16[ndarray, "views examples classes"]:
        """Logits of both views of every validation image."""
        with torch.cuda.stream(self._stream):
            self._valid_clock.zero_()
            for batch in range(len(self._logits)):
                self._images.before_valid(batch)
                self._valid_graph.replay()
            logits = self._logits.transpose(0, 1).flatten(1, 2)[:, : len(self._data.valid)]
            return logits.cpu().numpy()

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


def _mirrored(images: Tensor) -> Tensor:
    return images.flip(-1).contiguous(memory_format=torch.channels_last)


def _built(setup: Setup, data: Data) -> nn.Module:
    return build(
        setup.model,
        classes=len(data.classes),
        self_attention=setup.self_attention,
        activation=setup.activation,
    )
