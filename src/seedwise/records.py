"""What training hands back: a run as values and numpy arrays, with no trace of a framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Float16, Int64
from numpy import ndarray

__all__ = ["STATES", "VIEWS", "DatasetRecord", "EpochRecord", "Progress", "RunRecord", "State"]

State = Literal["finished", "diverged", "failed"]
"""What became of a run. A diverged run is a result; a failed one is the machine's fault."""

STATES: tuple[State, ...] = ("finished", "diverged", "failed")
"""Every `State`."""

VIEWS = ("original", "mirrored")
"""The ways in which the built-in training shows a validation image to the model."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DatasetRecord:
    """What a study keeps of its dataset: enough to score logits, and to know the images again.

    Attributes:
        name: The dataset as the user named it, e.g. `imagenette` or a path.
        fingerprint: SHA-256 over the sorted images (class, file name, content) of the whole
            dataset, training and validation; the same for either folder layout.
        split: Canonical JSON of the split.
        classes: Names of the classes; a target is a position in this tuple.
        names: The validation examples, as "class/file", in the order of the logits.
        targets: The class of each validation example.
    """

    name: str
    fingerprint: str
    split: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    targets: Int64[ndarray, " examples"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """One line of the live table: the figures after an epoch.

    Attributes:
        epoch: Number of the epoch, from 0.
        train_loss: fastai's smoothed training loss: a debiased moving average with factor 0.98.
        valid_loss: Mean loss over the validation predictions, label smoothing included.
        accuracy: Fraction of the validation predictions that are right, each view counted.
        smoothed_accuracy: Mean of softmax(3 * logits) at the target.
        seconds: Wall time of the epoch, its validation included.
    """

    epoch: int
    train_loss: float
    valid_loss: float
    accuracy: float
    smoothed_accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRecord:
    """What a training gives back. Everything after training is computed from it.

    Attributes:
        state: `finished`; `diverged` (the loss became NaN or infinite: a result, not a fault); or
            `failed` (the machine's fault: tried again).
        logits: float16, one row of class scores for each view of each validation example, in the
            order of the study's examples; None for a run without predictions.
        views: What each view shows, e.g. `original`, `mirrored`; empty without logits.
        metrics: Plain metric values of a run that has no logits; all finite.
        epochs: The figures after each epoch, in order.
        seconds: Wall time of the whole run.
        made_by: How the run was made: machine, device, versions, threads, kernels; and how many
            runs went side by side, where there were several.
        error: What went wrong in a diverged or failed run.
        targets: Targets that came with the predictions of somebody's own function; None where the
            study has them from its dataset. They are kept once a study, not with the run.
        not_finite: Names of the metrics whose value was infinite or NaN: under these it diverged.
    """

    state: State
    logits: Float16[ndarray, "views examples classes"] | None = None
    views: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    epochs: tuple[EpochRecord, ...] = ()
    seconds: float = 0.0
    made_by: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: str | None = None
    targets: Int64[ndarray, " examples"] | None = None
    not_finite: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, got {self.state!r}")
        if not self.seconds >= 0:
            raise ValueError(f"seconds must be 0 or more, got {self.seconds}")
        if self.logits is None:
            return
        if self.logits.dtype != np.float16 or self.logits.ndim != 3:
            raise ValueError(
                "logits must be a float16 array (views, examples, classes), "
                f"got {self.logits.dtype} {self.logits.shape}"
            )
        if len(self.views) != len(self.logits):
            raise ValueError(f"{len(self.logits)} views of logits, but names {self.views}")


class Progress(Protocol):
    """Who wants to know how far a training is. It must not change the training."""

    def step(self, *, epoch: int, step: int, steps: int, loss: float) -> None:
        """Step `step` of the epoch's `steps` is done, both from 0; `loss` as fastai smooths it."""

    def epoch(self, record: EpochRecord) -> None:
        """An epoch and its validation are done."""
