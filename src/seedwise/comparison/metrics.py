"""Metrics by name, for the runs of a study, and the direction of each."""

import math
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import getsourcefile
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from seedwise.comparison.study_runs import (
    BETTER,
    StudyRuns,
    all_have_logits,
    metrics_of_any,
)
from seedwise.crops import usual_views
from seedwise.errors import CodeNotRun, ConfigError, StudyError, UnknownName, Unsettled
from seedwise.figures import in_points
from seedwise.named import load
from seedwise.stats.blocks import Logits, Targets
from seedwise.stats.catalog import CATALOG, BuiltInMetric
from seedwise.stats.directions import Better, direction_words, known_direction
from seedwise.store import Store, StoredRun

__all__ = [
    "DECIDING",
    "Metric",
    "OwnMetric",
    "ReturnedMetric",
    "accuracy_over",
    "check_better",
    "deciding_metric",
    "default_metric",
    "direction_of",
    "directions_note",
    "find_metric",
    "is_over_views",
    "more_views",
    "names_code",
    "state_directions",
    "stated_directions",
    "unsettled",
]


DECIDING = ""
"""Stands for the name of the metric that decides, where a direction is stated of it alone."""


def check_better(better: Mapping[str, str]) -> Mapping[str, Better]:
    """Directions as they were given, checked.

    Raises:
        ConfigError: One is neither `lower` nor `higher`, or not that of a built-in metric.
    """
    found = dict[str, Better]()
    for name, way in better.items():
        if way != "lower" and way != "higher":
            of = f" of {name}" if name else ""
            raise ConfigError(f"better{of} must be lower or higher, got {way!r}")
        if name in CATALOG and CATALOG[name].higher_is_better != (way == "higher"):
            right = direction_words(CATALOG[name].higher_is_better)
            raise ConfigError(
                f"{name} is built in, and {right}; give another name to what is not {name}"
            )
        found[name] = way
    return found


def stated_directions(
    study: StudyRuns, better: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """The directions that a study file keeps, and those that were given beside them.

    Raises:
        ConfigError: As in `check_better`.
        StudyError: One that was given is not the one that the file keeps.
    """
    kept, given = study.stated, check_better(better or {})
    for name, way in given.items():
        if kept.get(name, way) != way:
            raise StudyError(
                f"{study.path} says that {kept[name]} is better for {name}, got {way}; a stated "
                "direction never changes: record or import into another study file"
            )
    return {**kept, **given}


def state_directions(store: Store, better: Mapping[str, str]) -> None:
    """Keep directions in a study file; the same again changes nothing.

    Raises:
        ConfigError, StudyError: As in `stated_directions`.
    """
    stated_directions(StudyRuns(store), better)
    for name, way in better.items():
        store.fix_choice(f"{BETTER}{name}", way)


def direction_of(metric: str, stated: Mapping[str, str]) -> Better | None:
    """The direction of a metric; None if it was not stated and the name does not settle it.

    >>> direction_of("brier", {}), direction_of("score", {"score": "lower"}), direction_of("x", {})
    ('lower', 'lower', None)
    """
    name, _, function = metric.partition(":")
    if metric in stated:
        return "higher" if stated[metric] == "higher" else "lower"
    if name in CATALOG:
        return "higher" if CATALOG[name].higher_is_better else "lower"
    return known_direction(metric) or (known_direction(function) if function else None)


def unsettled(metric: str) -> str:
    """Say why there is no verdict, and what settles it."""
    return (
        f"it is not known whether lower or higher {metric} is better, as its name does not "
        f"settle it; give --better lower or --better higher (better= in Python)"
    )


def directions_note(metrics: Iterable[str], stated: Mapping[str, str]) -> str:
    """Say the direction of each metric other than accuracies, where a reader could doubt it.

    >>> directions_note(["accuracy", "loss", "f1", "wer", "score"], {})
    'lower is better: loss, wer; higher is better: f1; not known which: score (--better says it)'
    """
    ways: dict[Better | None, list[str]] = {"lower": [], "higher": [], None: []}
    for name in metrics:
        if not in_points(name):
            ways[direction_of(name, stated)].append(name)
    said = [f"{way} is better: {', '.join(names)}" for way, names in ways.items() if way and names]
    if ways[None]:
        said.append(f"not known which: {', '.join(ways[None])} (--better says it)")
    return "; ".join(said)


_BETTER = re.compile(r"(.+):better=(lower|higher)$")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedMetric:
    """A number that each run came with.

    Attributes:
        name: Its name among the run's metrics.
        higher_is_better: Which way is up; None if neither the name nor a statement settles it.
    """

    name: str
    higher_is_better: bool | None

    def __str__(self) -> str:
        return self.name

    def chance(self, classes: int) -> float | None:
        """Return the value that a diverged run counts as, which is known of an accuracy only."""
        return 1 / classes if self.name == "accuracy" and classes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMetric:
    """A function of the user's, `module:function`, of one run's logits and the targets.

    It gets float32 logits (views, examples, classes) and the targets, and returns one number.

    Attributes:
        name: How it is named.
        key: Under what its values are kept: the name and a checksum of the module's file, so that
            an edited function is computed again.
        higher_is_better: Which way is up; None if neither the name nor a statement settles it.
        function: The function.
    """

    name: str
    key: str
    higher_is_better: bool | None
    function: Callable[[Any, Any], Any]

    def __str__(self) -> str:
        return self.name

    def chance(self, classes: int) -> float | None:
        """Nobody can say what a diverged run would get."""
        return None

    def value(self, logits: Logits, targets: Targets, run: StoredRun) -> float:
        """The metric of one run.

        Raises:
            ConfigError: The function fails, or returns something else than a finite number.
        """
        try:
            value = self.function(logits.astype(np.float32), targets)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ConfigError(f"{self.name} fails on {_words(run)}: {reason}") from error
        number = np.asarray(value)
        if number.shape != () or not isinstance(number.item(), Real):
            raise ConfigError(f"{self.name} must return one number, got {value!r}")
        if not math.isfinite(number.item()):
            raise ConfigError(f"{self.name} gives {value} for {_words(run)}; it must be finite")
        return float(number.item())


Metric = BuiltInMetric | OwnMetric | ReturnedMetric


def find_metric(
    text: str,
    finished: Sequence[StoredRun],
    stated: Mapping[str, str] | None = None,
    *,
    code: bool = False,
) -> Metric:
    """The metric that a text names, for some finished runs.

    A built-in one is computed where all have their predictions, and so is `module:function`;
    otherwise the runs are to have returned a metric of this name. `name:better=lower` says of a
    metric that is not built in which way is up.

    Args:
        text: What names it.
        finished: The runs.
        stated: The directions that the study states, by metric.
        code: Whether a function that the text names may be loaded, which runs its module: only
            where the text is this command line's or this call's, never where a file says it.

    Raises:
        UnknownName: No such metric, or no such setting of it.
        CodeNotRun: It is a function, and `code` is false.
        ConfigError: A setting is out of range, a function cannot be loaded, or some of the runs
            lack what it takes; or a direction contradicts the study.
    """
    name = text.partition(":")[0]
    predictions, returned = all_have_logits(finished), metrics_of_any(finished)
    if name in CATALOG and (predictions or ":" in text) and (text == name or text not in returned):
        metric = BuiltInMetric.parse(text)
        if not predictions:
            raise ConfigError(f"{text} needs the predictions of every run; some have metrics only")
        _check_views(metric, finished)
        return metric
    said = None if text in returned else _BETTER.match(text)
    bare = said[1] if said else text
    higher = _higher(bare, said[2] if said else None, stated or {})
    if bare in returned:
        return ReturnedMetric(name=bare, higher_is_better=higher)
    if _FUNCTION.match(bare):
        if not predictions:
            raise ConfigError(f"{text} needs the predictions of every run; some have metrics only")
        if not code:
            raise CodeNotRun(
                f"the study file names the metric {text!r}, a function, and seedwise never runs "
                f"code because a file names it; give --metric {text} to run it, or "
                "another metric, such as --metric accuracy"
            )
        return _own(bare, higher)
    raise UnknownName("metric", text, {*CATALOG, *returned})


def _check_views(metric: BuiltInMetric, finished: Sequence[StoredRun]) -> None:
    """Refuse a metric of more views than the runs have."""
    there = min((len(run.views) for run in finished), default=math.inf)
    if metric.view_count is not None and metric.view_count > there:
        raise ConfigError(
            f"{metric} needs {metric.view_count} views of each image, and the runs have {there}; "
            f"a study begun with views = {metric.view_count} makes them"
        )


def more_views(finished: Iterable[StoredRun]) -> int | None:
    """Number of views of some runs, if all have the same and more than the usual ones."""
    found = {run.views for run in finished}
    names = found.pop() if len(found) == 1 else ()
    return len(names) if len(names) > usual_views(names) else None


def accuracy_over(finished: Iterable[StoredRun]) -> str:
    """Name of the accuracy over all views that some finished runs have in common."""
    views = more_views(finished)
    return "accuracy" if views is None else f"accuracy:views={views}"


def is_over_views(metric: str) -> bool:
    """True if a metric is an accuracy over so many views, which needs none to stand for it.

    >>> is_over_views("accuracy:views=16"), is_over_views("accuracy:views=original")
    (True, False)
    """
    return re.fullmatch(r"accuracy:views=\d+", metric) is not None


def names_code(text: str, finished: Sequence[StoredRun]) -> bool:
    """True if a text names a function, not a metric that is built in or that runs returned."""
    said = _BETTER.match(text)
    bare = said[1] if said else text
    known = bare.partition(":")[0] in CATALOG or bare in metrics_of_any(finished)
    return not known and _FUNCTION.match(bare) is not None


def _higher(name: str, said: str | None, stated: Mapping[str, str]) -> bool | None:
    """True if higher is better: as the metric's text says, or the study, or the name."""
    if said is not None and stated.get(name, said) != said:
        raise ConfigError(
            f"{name}:better={said} is not what the study states: {stated[name]} is better"
        )
    way = said or direction_of(name, stated)
    return None if way is None else way == "higher"


def deciding_metric(
    text: str, finished: Sequence[StoredRun], stated: Mapping[str, str], *, code: bool = False
) -> Metric:
    """The metric that a text names, to reach a verdict by: its direction is known.

    Args:
        text: As in `find_metric`.
        finished: As in `find_metric`.
        stated: As in `find_metric`; under "" for this metric, whatever its name.
        code: As in `find_metric`.

    Raises:
        Unsettled: Nobody said which way is up, and the name does not settle it.
        UnknownName, CodeNotRun, ConfigError: As in `find_metric`.
    """
    metric = find_metric(text, finished, stated, code=code)
    way = stated.get(DECIDING)
    if way is not None:
        check_better({metric.name: way})
        if stated.get(metric.name, way) != way:
            raise ConfigError(
                f"the study states that {stated[metric.name]} is better for {metric}, got {way}"
            )
        if not isinstance(metric, BuiltInMetric):
            metric = replace(metric, higher_is_better=way == "higher")
    if metric.higher_is_better is None:
        raise Unsettled(unsettled(str(metric)))
    return metric


def default_metric(finished: Sequence[StoredRun]) -> str:
    """The metric that decides where none is named.

    Matched accuracy helps accuracy to show its sign; accuracy over more views needs no help.

    Raises:
        ConfigError: The runs have several metrics and none of them is accuracy, or none at all.
    """
    if all_have_logits(finished):
        more = accuracy_over(finished)
        return "matched_accuracy" if more == "accuracy" else more
    # All that any run has: a hole in one run must not change what decides.
    known = metrics_of_any(finished)
    if "accuracy" in known:
        return "accuracy"
    if len(known) == 1:
        return next(iter(known))
    if not known:
        raise ConfigError("the runs have no metric to compare; record one with each run")
    names = ", ".join(sorted(known))
    raise ConfigError(
        f"the runs have several metrics ({names}); choose one with --metric (metric= in Python)"
    )


def _own(name: str, higher: bool | None) -> OwnMetric:
    hint = "put it into this folder, or on PYTHONPATH"
    found = load(name, role="metric", hint=hint, here=True)
    return OwnMetric(
        name=name,
        key=f"{name}#{_checksum(found):08x}",
        higher_is_better=higher,
        function=found,
    )


def _checksum(function: Callable[..., Any]) -> int:
    try:
        source = getsourcefile(function)
    except TypeError:  # compiled: its module's version is all there is
        source = None
    return zlib.crc32(Path(source).read_bytes()) if source else 0


def _words(run: StoredRun) -> str:
    return f"the run of {run.setup!r} with seed {run.seed}"
