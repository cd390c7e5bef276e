"""Results of training: a run as values and numpy arrays, with no trace of a framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy import ndarray

from seedwise.crops import CENTRE, view_names
from seedwise.shaped import Float, Float16, Int64

__all__ = [
    "STATES",
    "VIEWS",
    "DatasetRecord",
    "EpochRecord",
    "Examples",
    "Progress",
    "RunRecord",
    "State",
    "kept_scores",
    "row_names",
]

_COARSE = 1e-5
"""Largest rounding of float32, as a share of the standard deviation of scores."""

State = Literal["finished", "diverged", "failed"]
"""End of a run. A diverged run is a result; a failed one is none."""

Fault = Literal["code", "return"]
"""Cause of a failed run, where another try would not mend it."""

STATES: tuple[State, ...] = ("finished", "diverged", "failed")
"""Every `State`."""

VIEWS = view_names(CENTRE)
"""The notebook's views of a validation image: its centre as it is and mirrored."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DatasetRecord:
    """Dataset of a study: enough to score logits, and to know the images again.

    Attributes:
        name: The dataset as the user named it, e.g. `imagenette` or a path.
        fingerprint: SHA-256 over the sorted images (class, file name, content) of the whole
            dataset, training and validation; the same for either folder layout.
        split: Canonical JSON of the split.
        classes: Names of the classes; a target is a position in this tuple.
        names: The validation examples, as "class/file", in the order of the logits.
        targets: The class of each validation example.
        views: The views of each validation image that the built-in training makes.
    """

    name: str
    fingerprint: str
    split: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    targets: Int64[ndarray, " examples"]
    views: tuple[str, ...] = VIEWS

    @property
    def of_files(self) -> bool:
        """True if the examples are files that were listed; false of rows of somebody's targets."""
        return self.names[:1] != row_names(1)


def row_names(number: int) -> tuple[str, ...]:
    """The names of examples of which only the targets are known.

    >>> row_names(2)
    ('example 0', 'example 1')
    """
    return tuple(f"example {row}" for row in range(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Examples that a study's scores are of: questions, images, episodes.

    Attributes:
        count: Their number.
        names: The name of each, in the order of the scores; empty where their places tell them.
        groups: The group of each (the passage of a question, the video of a frame); empty where
            they have none.
    """

    count: int
    names: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, given in (("names", self.names), ("groups", self.groups)):
            if given and len(given) != self.count:
                raise ValueError(f"{len(given)} {what} of {self.count} examples")
        if len(set(self.names)) != len(self.names):
            raise ValueError("two examples have one name")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """The figures of a run after an epoch.

    Attributes:
        epoch: Number of the epoch, as the training counts: the built-in one from 0. A function
            that logs within epochs has 2.5 too.
        figures: By name; NaN or infinite where a training diverges. A function's are what it
            logs. The built-in training has `train_loss` (fastai's smoothed one: a debiased moving
            average with factor 0.98), `valid_loss` (over the validation predictions, label
            smoothing included), `accuracy` (each view counted), `smoothed_accuracy` (the mean of
            softmax(3 * logits) at the target) and `seconds` (its validation included).
    """

    epoch: float
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRecord:
    """Result of a training. Everything after training is computed from it.

    Attributes:
        state: `finished`; `diverged` (the loss became NaN or infinite: a result, not a fault); or
            `failed` (no result; see `fault`).
        logits: float16, one row of class scores for each view of each validation example, in the
            order of the study's examples; None for a run without predictions.
        views: What each view shows, e.g. `original`, `mirrored`; empty without logits. The
            notebook's two come first where the built-in training made more.
        metrics: Plain metric values of a run that has no logits; all finite. Of a metric that has
            scores, their mean.
        scores: For some of the metrics, what each example is worth, in the order of the study's
            examples; all finite.
        examples: Names and groups that came with the scores or predictions; None where none did.
            They are kept once a study, not with the run.
        epochs: The figures after each epoch, in order.
        seconds: Wall time of the whole run.
        made_by: How the run was made: machine, device, versions, threads, kernels; and how many
            runs went side by side, where there were several.
        error: What went wrong in a diverged or failed run.
        targets: Targets that came with the predictions of a user's function; None where the
            study has them from its dataset. They are kept once a study, not with the run.
        not_finite: Names of the metrics whose value was infinite or NaN: under these it diverged.
        fault: Of a failed run, what another try would not mend: the `code` that trains, or what it
            gave back or logged (`return`); None for the machine's fault, which is tried again.
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
    scores: Mapping[str, Float[ndarray, " examples"]] = field(default_factory=dict[str, ndarray])
    examples: Examples | None = None
    fault: Fault | None = None

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, got {self.state!r}")
        if not self.seconds >= 0:
            raise ValueError(f"seconds must be 0 or more, got {self.seconds}")
        if not set(self.scores) <= set(self.metrics):
            raise ValueError("each metric with scores has a value too")
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
    """Listener to the progress of a training. It must not change the training."""

    def step(self, *, epoch: int, step: int, steps: int, loss: float) -> None:
        """Step `step` of the epoch's `steps` is done, both from 0; `loss` as fastai smooths it."""

    def epoch(self, record: EpochRecord) -> None:
        """An epoch and its validation are done."""


def kept_scores(scores: Float[ndarray, " examples"]) -> Float[ndarray, " examples"]:
    """Scores as a study file gives them back: float32, unless its rounding would be seen.

    Scores are numbers that people measured; those that lie far from 0 and close together, as
    times of a clock do, are kept as float64.

    >>> kept_scores(np.array([0.0, 1.0])).dtype, kept_scores(np.array([1e9, 1e9 + 1])).dtype
    (dtype('float32'), dtype('float64'))
    """
    wide = np.asarray(scores, np.float64) + 0.0  # no -0.0
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
        apart = np.abs(narrow - wide).max(initial=0.0)
        largest = np.abs(wide).max(initial=0.0)
        spread = largest * (wide / largest).std() if largest else 0.0
    return narrow if apart <= _COARSE * spread else wide
