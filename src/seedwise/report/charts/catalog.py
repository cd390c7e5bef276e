"""The kinds of charts, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seedwise.comparison.history import FIGURES
from seedwise.errors import StudyError, UnknownName
from seedwise.report.charts.chart import Chart
from seedwise.report.charts.differences import forest_chart, trace_chart
from seedwise.report.charts.noise import metrics_chart, sources_chart, variance_chart
from seedwise.report.charts.predictions import certainty_chart, classes_chart
from seedwise.report.charts.runs import curves_chart, runs_chart
from seedwise.report.charts.theme import role
from seedwise.report.findings import Findings

__all__ = ["KINDS", "Kind", "chart", "charts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of chart.

    Attributes:
        shows: What it shows, in a few words.
        draw: Draws the charts of this kind that a study has; none where it lacks what they take.
        needs: What a study lacks that has none.
    """

    shows: str
    draw: Callable[[Findings], tuple[Chart, ...]]
    needs: str


def charts(kind: str, found: Findings) -> tuple[Chart, ...]:
    """All charts of a kind, the most telling first; none where the study lacks what they take.

    Raises:
        UnknownName: No such kind.
    """
    if kind not in KINDS:
        raise UnknownName("kind of chart", kind, KINDS)
    return KINDS[kind].draw(found)


def chart(kind: str, found: Findings) -> Chart:
    """The most telling chart of a kind.

    Raises:
        UnknownName: No such kind.
        StudyError: The study lacks what it takes.
    """
    drawn = charts(kind, found)
    if not drawn:
        unjudged = found.unjudged if len(found.setups) > 1 else ""
        why = unjudged.rstrip(".") or KINDS[kind].needs
        raise StudyError(f"{found.study.path} has no chart of {kind!r}: {why}")
    return drawn[0]


def _places(found: Findings) -> Mapping[str, int]:
    return {name: place for place, name in enumerate(found.setups)}


def _forest(found: Findings) -> tuple[Chart, ...]:
    if not found.comparisons:
        return ()
    return (forest_chart(found.comparisons, list(found.decisions.items())),)


def _runs(found: Findings) -> tuple[Chart, ...]:
    metrics = [found.metric]
    paired = False
    if found.comparisons:
        first = found.comparisons[0]
        paired = any(each.paired for each in found.comparisons)
        metrics = [first.deciding.metric, *(["accuracy"] if first.accuracy else [])]
    confidence = found.rule.confidence
    return tuple(
        runs_chart(
            values,
            metric,
            paired=paired,
            confidence=confidence,
            direction=found.shown_direction(metric),
            test_to_train=found.study.test_to_train,
        )
        for metric in dict.fromkeys(metrics)
        if any((values := found.values(metric)).values())
    )


def _traces(found: Findings) -> tuple[Chart, ...]:
    if found.study.test_to_train:  # folds settle nothing one by one
        return ()
    return tuple(
        trace_chart(each, role(place), found.shown_direction(each.metric))
        for place, name in enumerate(found.setups[1:], start=1)
        for each in reversed(found.settlings(name))
        if len(each.steps) > 1
    )


def _curves(found: Findings) -> tuple[Chart, ...]:
    drawn = (found.curves(figure) for figure in FIGURES)
    return tuple(curves_chart(curves, _places(found)) for curves in drawn if curves)


def _metrics(found: Findings) -> tuple[Chart, ...]:
    first = found.setups[0]
    return tuple(
        metrics_chart(first, table, role(found.setups.index(table.other)))
        for table in found.signals
        if len(table.metrics) > 1
    )


def _variance(found: Findings) -> tuple[Chart, ...]:
    measured = [each for each in found.noise if each.runs > 1 and each.metrics]
    return (variance_chart(measured, _places(found)),) if measured else ()


def _sources(found: Findings) -> tuple[Chart, ...]:
    drawn = sources_chart([each for each in found.noise if each.metrics], _places(found))
    return () if drawn is None else (drawn,)


def _classes(found: Findings) -> tuple[Chart, ...]:
    first = found.setups[0]
    return tuple(
        classes_chart(
            first,
            name,
            each,
            confidence=found.rule.confidence,
            colour=role(found.setups.index(name)),
            called=found.called,
        )
        for name, each in found.classes.items()
    )


def _images(found: Findings) -> tuple[Chart, ...]:
    return (
        (certainty_chart(found.predicted, _places(found), found.called),)
        if found.predicted
        else ()
    )


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "forest": Kind(
            shows="differences from the baseline, with their intervals",
            draw=_forest,
            needs="it takes two setups with results",
        ),
        "runs": Kind(
            shows="every run as a dot, runs of the same seed joined",
            draw=_runs,
            needs="no run has finished",
        ),
        "trace": Kind(
            shows="how the difference settled, pair by pair",
            draw=_traces,
            needs="it takes two setups with two or more common seeds",
        ),
        "curves": Kind(
            shows="learning curves, with a band that holds most runs",
            draw=_curves,
            needs="no run has figures after each epoch",
        ),
        "metrics": Kind(
            shows="which metric shows the difference with the fewest runs",
            draw=_metrics,
            needs="it takes three common seeds, and accuracy with other metrics beside it",
        ),
        "variance": Kind(
            shows="how much runs of one setup differ",
            draw=_variance,
            needs="it takes two finished runs of a setup",
        ),
        "sources": Kind(
            shows="the noise by source of randomness",
            draw=_sources,
            needs="no runs share some seeds and not others; see seedwise run --sources",
        ),
        "classes": Kind(
            shows="the difference class by class",
            draw=_classes,
            needs="it takes two setups with predictions",
        ),
        "images": Kind(
            shows="how many images are right always, sometimes, never",
            draw=_images,
            needs="the runs came without predictions",
        ),
    }
)
"""The kinds of charts, in the order of a report."""
