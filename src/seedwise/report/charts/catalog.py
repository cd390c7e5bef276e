"""The registry of charts: each kind with its section, its builder and the words beside it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from seedwise.comparison.history import LearningCurve
from seedwise.comparison.predicted import ClassDifference
from seedwise.errors import StudyError, UnknownName
from seedwise.figures import count, epoch_number, percent
from seedwise.report.charts.chart import Chart
from seedwise.report.charts.differences import forest_chart, trace_chart
from seedwise.report.charts.noise import metrics_chart, sources_chart, variance_chart
from seedwise.report.charts.predictions import certainty_chart, classes_chart
from seedwise.report.charts.runs import curves_chart, runs_chart, tradeoff_chart
from seedwise.report.charts.tasks import profile_chart, tasks_chart
from seedwise.report.charts.theme import role
from seedwise.report.findings import Findings
from seedwise.words.numbers import metric_words, pointing

__all__ = ["KINDS", "ChartKind", "Notes", "chart", "charts"]

Notes = Iterator[tuple[str, str]]
"""Paragraphs of the report beside charts: the form (`text`, `note` or `quiet`) and the words."""


_RULED = (
    "The stopping rule looked after every pair. Its bands hold at all looks together: the study "
    "is decided when a band leaves the line of no difference, or lies between the dashed margins. "
    "Dots are single pairs."
)
_FIXED = (
    "The number of runs was fixed, so that only the last interval was meant to be looked at: each "
    "earlier one stands for itself. Dots are single pairs."
)
_SAVED = (
    "How many times fewer runs a metric needs to show the same difference, against accuracy of "
    "unrelated runs; {} intervals. It is about the difference that was seen: a lucky one "
    "flatters a metric."
)
_ELSEWHERE = (
    "* moves by less than half of accuracy, by more than twice, or against it: it answers another "
    "question."
)
_MOST_CURVES = 6
"""Figures whose curves the report has."""

_OF_EACH = (
    "Over finished runs, for new seeds on these {called}. The intervals hold for all {several} "
    "together; a filled dot marks an interval that excludes 0. In brackets, the {called} of the "
    "{one}."
)


def _nothing(found: Findings) -> Notes:
    return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartKind:
    """A kind of chart.

    Attributes:
        section: Name of the report's section that has it.
        shows: What it shows, in a few words.
        draw: Draws the charts of this kind that a study has; none where it lacks what they take.
        needs: What a study lacks that has none.
        before: Paragraphs of the report above its charts.
        after: Paragraphs below them.
    """

    section: str
    shows: str
    draw: Callable[[Findings], tuple[Chart, ...]]
    needs: str
    before: Callable[[Findings], Notes] = _nothing
    after: Callable[[Findings], Notes] = _nothing


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
        UnknownName: No such kind, or a metric that no run has logged where curves are asked for.
        StudyError: The study lacks what it takes.
    """
    drawn = charts(kind, found)
    if kind == "curves":
        found.refuse_unlogged()
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


def _below_forest(found: Findings) -> Notes:
    first = found.comparisons[0]
    decides = metric_words(first.deciding.metric).capitalize()
    way = pointing(first.deciding.metric, first.deciding.higher_is_better)
    sure = percent(first.rule.confidence)
    yield "quiet", f"{sure} intervals. {decides} decides the sign{way and f': {way}'}."


def _tasks(found: Findings) -> tuple[Chart, ...]:
    return (tasks_chart(found.suites),) if found.suites else ()


def _profile(found: Findings) -> tuple[Chart, ...]:
    return (profile_chart(found.suites, found.setups),) if found.suites else ()


def _runs(found: Findings) -> tuple[Chart, ...]:
    metrics = [found.metric]
    paired = False
    if found.suites:
        metrics = [each.deciding.metric for each in found.suites[0].tasks.values()]
        paired = any(each.paired for each in found.suites)
    if found.comparisons:
        first = found.comparisons[0]
        paired = any(each.paired for each in found.comparisons)
        metrics = [first.deciding.metric, *([first.accuracy.metric] if first.accuracy else [])]
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


def _below_runs(found: Findings) -> Notes:
    paired = any(each.paired for each in (*found.comparisons, *found.suites))
    joined = " A line joins two runs with the same seed." if paired else ""
    mean = "The diamond is the mean, the bar its interval; figures are mean ± standard deviation."
    yield "quiet", f"{mean}{joined}"
    for name in found.setups:
        lost = sum(run.state == "diverged" for run in found.runs[name])
        if lost:
            yield "note", f"Not drawn: {count(lost, 'diverged run')} of {name}."


def _above_traces(found: Findings) -> Notes:
    yield "text", _RULED if found.decisions else _FIXED


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
    return tuple(
        curves_chart(curves, _places(found), found.shown_direction(curves[0].figure))
        for curves in found.curves[:_MOST_CURVES]
    )


def _below_curves(found: Findings) -> Notes:
    drawn, others = found.curves[:_MOST_CURVES], found.curves[_MOST_CURVES:]
    yield "quiet", "A line is the mean of the runs; its band holds the middle 80 % of them."
    parts = {_left_out(curve) for curves in drawn for curve in curves}
    for part in sorted(filter(None, parts)):
        yield "quiet", part
    if others:
        names = ", ".join(curves[0].figure for curves in others)
        yield "quiet", f"Logged too: {names}; `seedwise plot STUDY.DB curves --metric NAME`."


def _left_out(curve: LearningCurve) -> str:
    """Note on runs, or parts of runs, that a curve leaves out; empty where it has all."""
    last = f"{curve.setup} is drawn to epoch {epoch_number(curve.epochs[-1])}"
    if curve.runs < curve.finished:
        return (
            f"{last}, of {curve.runs} of its {count(curve.finished, 'run')}: the others ended "
            "sooner, or logged other epochs."
        )
    if curve.longest > curve.epochs[-1]:
        return f"{last}, which all of its {curve.runs} runs have; some went on."
    return ""


def _tradeoff(found: Findings) -> tuple[Chart, ...]:
    cost = found.rule.cost
    if cost is None or not found.comparisons:
        return ()
    metric = found.comparisons[0].margin_metric
    direction = found.shown_direction(metric)
    values = found.values(metric)
    return (tradeoff_chart(values, found.costs(cost), metric, cost, direction=direction),)


def _metrics(found: Findings) -> tuple[Chart, ...]:
    first = found.setups[0]
    return tuple(
        metrics_chart(first, table, role(found.setups.index(table.other)))
        for table in found.signals
        if len(table.metrics) > 1
    )


def _above_metrics(found: Findings) -> Notes:
    yield "text", _SAVED.format(percent(found.rule.confidence))


def _below_metrics(found: Findings) -> Notes:
    if any(table.elsewhere(name) for table in found.signals for name in table.metrics):
        yield "quiet", _ELSEWHERE


def _variance(found: Findings) -> tuple[Chart, ...]:
    measured = [each for each in found.noise if each.runs > 1 and each.metrics]
    return (variance_chart(measured, _places(found)),) if measured else ()


def _sources(found: Findings) -> tuple[Chart, ...]:
    drawn = sources_chart([each for each in found.noise if each.metrics], _places(found))
    return () if drawn is None else (drawn,)


def _classes(found: Findings) -> tuple[Chart, ...]:
    return _by_label(found, found.classes, "class")


def _groups(found: Findings) -> tuple[Chart, ...]:
    return _by_label(found, found.groups, "group")


def _by_label(
    found: Findings, differences: Mapping[str, Sequence[ClassDifference]], by: str
) -> tuple[Chart, ...]:
    first = found.setups[0]
    return tuple(
        classes_chart(
            first,
            name,
            each,
            metric=found.predicted[name].metric,
            by=by,
            confidence=found.rule.confidence,
            colour=role(found.setups.index(name)),
            called=found.called,
        )
        for name, each in differences.items()
    )


def _above_classes(found: Findings) -> Notes:
    yield "text", _OF_EACH.format(called=found.called, several="classes", one="class")


def _above_groups(found: Findings) -> Notes:
    yield "text", _OF_EACH.format(called=found.called, several="groups", one="group")


def _images(found: Findings) -> tuple[Chart, ...]:
    graded = any(each.graded for each in found.predicted.values())
    if graded or not found.predicted:
        return ()
    return (certainty_chart(found.predicted, _places(found), found.called),)


KINDS: Mapping[str, ChartKind] = MappingProxyType(
    {
        "forest": ChartKind(
            section="verdict",
            shows="differences from the baseline, with their intervals",
            draw=_forest,
            needs="it takes two setups with results",
            after=_below_forest,
        ),
        "tasks": ChartKind(
            section="verdict",
            shows="the difference in each task of a suite, and over all of them",
            draw=_tasks,
            needs="it takes a study with tasks, and two setups that have them",
        ),
        "profile": ChartKind(
            section="verdict",
            shows="performance profiles: the share of runs that are better than a score",
            draw=_profile,
            needs="it takes a study with tasks, and two setups that have them",
        ),
        "tradeoff": ChartKind(
            section="verdict",
            shows="every run by what it costs and how good it is",
            draw=_tradeoff,
            needs="its rule has no cost; study.toml says it in [verdict]",
        ),
        "runs": ChartKind(
            section="runs",
            shows="every run as a dot, runs of the same seed joined",
            draw=_runs,
            needs="no run has finished",
            after=_below_runs,
        ),
        "trace": ChartKind(
            section="trace",
            shows="how the difference settled, pair by pair",
            draw=_traces,
            needs="it takes two setups with two or more common seeds",
            before=_above_traces,
        ),
        "curves": ChartKind(
            section="runs",
            shows="learning curves, with a band that holds most runs",
            draw=_curves,
            needs="no run has figures after each epoch; a function logs them by seed.log",
            after=_below_curves,
        ),
        "metrics": ChartKind(
            section="noise",
            shows="which metric shows the difference with the fewest runs",
            draw=_metrics,
            needs="it takes three common seeds, and accuracy with other metrics beside it",
            before=_above_metrics,
            after=_below_metrics,
        ),
        "variance": ChartKind(
            section="noise",
            shows="how much runs of one setup differ",
            draw=_variance,
            needs="it takes two finished runs of a setup",
        ),
        "sources": ChartKind(
            section="noise",
            shows="the noise by source of randomness",
            draw=_sources,
            needs="no runs share some seeds and not others; see seedwise run --sources",
        ),
        "classes": ChartKind(
            section="classes",
            shows="the difference class by class",
            draw=_classes,
            needs="it takes two setups with predictions",
            before=_above_classes,
        ),
        "groups": ChartKind(
            section="classes",
            shows="the difference group by group",
            draw=_groups,
            needs="it takes two setups with several runs, on examples in groups",
            before=_above_groups,
        ),
        "images": ChartKind(
            section="images",
            shows="how many examples are right always, sometimes, never",
            draw=_images,
            needs="the runs came without predictions, or scores of 0 and 1",
        ),
    }
)
"""The kinds of charts; those of one section stand there in this order."""
