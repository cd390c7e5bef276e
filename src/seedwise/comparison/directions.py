"""Which way the metrics of a study point: built in, stated in the file, or settled by name."""

from collections.abc import Iterable, Mapping

from seedwise.comparison.study_runs import BETTER, StudyRuns
from seedwise.errors import ConfigError, StudyError
from seedwise.figures import in_points
from seedwise.stats.catalog import CATALOG
from seedwise.stats.directions import Better, direction_words, known_direction
from seedwise.store import Store

__all__ = [
    "DECIDING",
    "check_better",
    "direction_of",
    "directions_note",
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
    """The direction of a metric; None where nobody said it and the name does not settle it.

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
    """Why there is no verdict, and what settles it."""
    return (
        f"nobody said whether a lower or a higher {metric} is better, and its name does not "
        "settle it; give --better lower or --better higher (better= in Python)"
    )


def directions_note(metrics: Iterable[str], stated: Mapping[str, str]) -> str:
    """What a reader of figures could doubt: the direction of each metric that is no accuracy.

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
