"""Metrics by name: `name` or `name:setting=value,setting=value`, as it is typed and stored.

One text stands for one metric: settings that say what holds anyway are left out of it, so that
what was kept under a name is found again.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy import ndarray

from seedwise.errors import ConfigError, UnknownName
from seedwise.shaped import Float32, Float64
from seedwise.stats import aggregates, scores
from seedwise.stats.blocks import VIEW_CHOICES, Logits, Targets, Views
from seedwise.stats.scores import Score

__all__ = ["CATALOG", "BuiltInMetric", "plain_metrics"]

Value = float | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameter:
    """A setting of a metric: its type and range; a default of None means that it must be given."""

    read: Callable[[str], Value]
    fits: Callable[[Value], bool]
    allowed: str
    default: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A metric of the catalogue.

    Attributes:
        score: From the settings, what each prediction is worth.
        chance: From the number of classes, what a run without knowledge gets: the same share for
            every class.
        settings: The settings besides `views`.
        higher_is_better: Which way is up.
        percent: A share of the predictions: printed in per cent, its differences in points.
        says: What it is, in a line.
        asked: It is computed only on request, and is in no table of all metrics.
    """

    says: str
    score: Callable[[Mapping[str, Value]], Score]
    chance: Callable[[int, Mapping[str, Value]], float | None]
    settings: Mapping[str, _Parameter] = field(default_factory=dict[str, _Parameter])
    higher_is_better: bool = True
    percent: bool = True
    asked: bool = False


def _number(default: float, fits: Callable[[float], bool], allowed: str) -> _Parameter:
    return _Parameter(
        read=float, fits=lambda value: fits(float(value)), allowed=allowed, default=default
    )


def _count(least: int, default: int | None) -> _Parameter:
    return _Parameter(
        read=int,
        fits=lambda value: int(value) >= least,
        allowed=f"a whole number, {least} or more",
        default=default,
    )


_VIEWS = _Parameter(
    read=lambda text: int(text) if text.isdecimal() else text,
    fits=lambda value: value in VIEW_CHOICES or (isinstance(value, int) and value > 1),
    allowed=f"a number of views, 2 or more, or one of {', '.join(VIEW_CHOICES)}",
    default="separate",
)


def _one_of(classes: int, settings: Mapping[str, Value]) -> float:
    return 1 / classes


CATALOG: Mapping[str, _Entry] = MappingProxyType(
    {
        "accuracy": _Entry(
            says=(
                "share of predictions whose largest logit is the target's; k tied for the "
                "largest count 1/k"
            ),
            score=lambda settings: scores.right,
            chance=_one_of,
        ),
        "balanced_accuracy": _Entry(
            says="the mean over classes of the share of their examples that are predicted right",
            score=lambda settings: aggregates.balanced_accuracy,
            chance=_one_of,
            asked=True,
        ),
        "brier": _Entry(
            says="mean squared distance of the softmax from the target, over all classes",
            score=lambda settings: scores.brier,
            chance=lambda classes, settings: 1 - 1 / classes,
            higher_is_better=False,
            percent=False,
        ),
        "calibrated_cross_entropy": _Entry(
            says=(
                "the same after a temperature; that of each half of the images is fitted on the "
                "other half"
            ),
            score=lambda settings: scores.calibrated_nll,
            chance=lambda classes, settings: math.log(classes),
            higher_is_better=False,
            percent=False,
        ),
        "calibration_error": _Entry(
            says=(
                "expected calibration error: distance of accuracy and mean largest softmax in "
                "`bins` of equal width, weighted by their size"
            ),
            score=lambda settings: aggregates.calibration_error(int(settings["bins"])),
            chance=lambda classes, settings: None,  # equal logits are right as often as they say
            settings={"bins": _count(1, 15)},
            higher_is_better=False,
            percent=False,
            asked=True,
        ),
        "class_accuracy": _Entry(
            says="accuracy on the images of one class",
            score=lambda settings: scores.right,
            chance=_one_of,
            settings={"label": _count(0, None)},
        ),
        "class_f1": _Entry(
            says="F1 of one class: 2 TP / (predicted + true)",
            score=lambda settings: aggregates.class_f1(int(settings["of"])),
            chance=_one_of,
            settings={"of": _count(0, None)},
            percent=False,
            asked=True,
        ),
        "cross_entropy": _Entry(
            says="mean of −log softmax at the target, in nats",
            score=lambda settings: scores.nll,
            chance=lambda classes, settings: math.log(classes),
            higher_is_better=False,
            percent=False,
        ),
        "macro_auc": _Entry(
            says="the mean over classes of the area under the ROC curve, each against the rest",
            score=lambda settings: aggregates.auc,
            chance=lambda classes, settings: 0.5,
            percent=False,
            asked=True,
        ),
        "macro_average_precision": _Entry(
            says="the mean over classes of the average precision, each against the rest",
            score=lambda settings: aggregates.average_precision,
            chance=_one_of,
            percent=False,
            asked=True,
        ),
        "macro_f1": _Entry(
            says="the mean F1 of the classes that are predicted or true",
            score=lambda settings: aggregates.macro_f1,
            chance=_one_of,
            percent=False,
            asked=True,
        ),
        "matched_accuracy": _Entry(
            says=(
                "the same with beta chosen for each run, without labels, so that the mean "
                "largest softmax is `level`"
            ),
            score=lambda settings: scores.matched(float(settings["level"])),
            chance=_one_of,
            settings={"level": _number(0.8, lambda v: 0 < v < 1, "above 1/classes and below 1")},
        ),
        "ranked_accuracy": _Entry(
            says=(
                "a prediction at quantile u of the run's margins gives its first class w(u) = 1 "
                "− (1 − u)^p / 2 and its second the rest; p such that w is `level` on average"
            ),
            score=lambda settings: scores.ranked(float(settings["level"])),
            chance=_one_of,
            settings={"level": _number(0.8, lambda v: 0.5 < v < 1, "above 0.5 and below 1")},
        ),
        "smoothed_accuracy": _Entry(
            says="mean of softmax(beta · logits) at the target",
            score=lambda settings: scores.smoothed(float(settings["beta"])),
            chance=_one_of,
            settings={"beta": _number(3.0, lambda v: 0 < v < math.inf, "a number above 0")},
        ),
        "top_accuracy": _Entry(
            says="the target is among the `k` largest",
            score=lambda settings: scores.top(int(settings["k"])),
            chance=lambda classes, settings: min(1.0, int(settings["k"]) / classes),
            settings={"k": _count(1, 5)},
        ),
    }
)
"""The built-in metrics: all that the program knows of each."""


def plain_metrics() -> tuple[str, ...]:
    """The names of the metrics that need no setting."""
    return tuple(
        name
        for name, kind in CATALOG.items()
        if not kind.asked
        and all(setting.default is not None for setting in kind.settings.values())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInMetric:
    """A metric of the catalogue with its settings.

    >>> str(BuiltInMetric.parse("smoothed_accuracy:views=separate,beta=10"))
    'smoothed_accuracy:beta=10'

    Attributes:
        name: Its name in the catalogue.
        settings: Every setting, `views` included.
    """

    name: str
    settings: Mapping[str, Value]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The metric that a text names.

        Raises:
            UnknownName: No such metric, or no such setting of it.
            ConfigError: A setting is missing or out of range.
        """
        name, _, rest = text.partition(":")
        if name not in CATALOG:
            raise UnknownName("metric", name, CATALOG)
        known = {**CATALOG[name].settings, "views": _VIEWS}
        given: dict[str, Value] = {}
        for part in rest.split(",") if rest else ():
            key, sign, value = part.partition("=")
            if key not in known:
                raise UnknownName(f"setting of {name}", key, known)
            given[key] = _read(f"{name}:{key}", known[key], value if sign else "")
        missing = [key for key, each in known.items() if each.default is None and key not in given]
        if missing:
            key = missing[0]
            raise ConfigError(f"{name} needs a {key}, e.g. {name}:{key}=3; got {text!r}")
        settings = {key: given.get(key, each.default) for key, each in known.items()}
        return cls(name=name, settings=MappingProxyType(settings))  # type: ignore[arg-type]

    def __str__(self) -> str:
        known = {**CATALOG[self.name].settings, "views": _VIEWS}
        said = [
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in self.settings.items()
            if value != known[key].default
        ]
        return f"{self.name}:{','.join(said)}" if said else self.name

    @property
    def view_count(self) -> int | None:
        """The first so many views of an image, where their number is a setting."""
        views = self.settings["views"]
        return views if isinstance(views, int) else None

    @property
    def higher_is_better(self) -> bool:
        """True if higher values are better."""
        return CATALOG[self.name].higher_is_better

    def chance(self, classes: int) -> float | None:
        """Value of a run that knows nothing, which a diverged run counts as."""
        return CATALOG[self.name].chance(classes, self.settings)

    def values(self, logits: Logits, targets: Targets) -> float | Float64[ndarray, " runs"]:
        """The metric of one run, or of each of several; as the functions of `stats.metrics`."""
        logits, targets = self._subset(logits, targets)
        return scores.each_run(self._score, logits, targets, self._views)

    def image_scores(self, logits: Logits, targets: Targets) -> Float32[ndarray, "runs examples"]:
        """The score of each image in each of several runs; their mean over images is the metric.

        What is fitted is fitted for each run, as in `values`. A class accuracy has the images of
        its class only.
        """
        logits, targets = self._subset(logits, targets)
        return scores.image_scores(self._score, logits, targets, self._views)

    @property
    def _score(self) -> Score:
        return CATALOG[self.name].score(self.settings)

    @property
    def _views(self) -> Views:
        return self.settings["views"]  # type: ignore[return-value]

    def _subset(self, logits: Logits, targets: Targets) -> tuple[Logits, Targets]:
        label = self.settings.get("label")
        if label is None:
            return logits, targets
        chosen = np.flatnonzero(targets == label)
        if not len(chosen):
            raise ConfigError(
                f"{self}: no example has this label; there are labels 0 to {logits.shape[-1] - 1}"
            )
        return logits[..., chosen, :], targets[chosen]


def _read(what: str, setting: _Parameter, text: str) -> Value:
    try:
        value = setting.read(text)
        fits = setting.fits(value)
    except ValueError:
        value, fits = text, False
    if not fits:
        raise ConfigError(f"{what} must be {setting.allowed}, got {text!r}")
    return value
