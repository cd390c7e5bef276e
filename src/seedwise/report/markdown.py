"""A block of Markdown for a pull request: the verdict, its figures, and what it rests on."""

from collections.abc import Iterator, Sequence

from seedwise.comparison import ComparisonValues, TargetValues
from seedwise.comparison.suite import SuiteValues
from seedwise.figures import figure, in_points, percent, spread
from seedwise.report.findings import Findings
from seedwise.report.papers import escaped_markdown
from seedwise.words.numbers import metric_words
from seedwise.words.suite import suite_view
from seedwise.words.verdict import BY_NUMBER, target_sentence
from seedwise.words.view import view

__all__ = ["compared_block", "pull_request"]


def pull_request(found: Findings) -> str:
    """The block of a whole study. Names are escaped; accuracies are in points."""
    if found.comparisons or found.suites:
        return compared_block(found.comparisons or found.suites)
    return "\n".join(_alone(found)) + "\n"


def compared_block(found: Sequence[ComparisonValues | TargetValues | SuiteValues]) -> str:
    """The block of some comparisons."""
    return "\n\n".join("\n".join(_block(each)) for each in found) + "\n"


def _block(found: ComparisonValues | TargetValues | SuiteValues) -> Iterator[str]:
    if isinstance(found, ComparisonValues):
        yield from _compared(found)
    elif isinstance(found, SuiteValues):
        yield from _over_tasks(found)
    else:
        yield f"**{escaped_markdown(target_sentence(found))}**"


def _over_tasks(found: SuiteValues) -> Iterator[str]:
    told = suite_view(found)
    yield f"**{escaped_markdown(told.headline)}**"
    yield escaped_markdown(f"{told.counted} {told.basis}")
    if told.exploratory:
        yield ""
        yield escaped_markdown(f"{BY_NUMBER} {told.exploratory}")
    yield ""
    a, b = escaped_markdown(found.a), escaped_markdown(found.b)
    unit = "pairs" if found.paired else "runs"
    yield f"| task | {unit} | {a} | {b} | difference | p | verdict |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for row in told.rows:
        name, size = escaped_markdown(row.task), f"{row.estimate} {row.interval}"
        cells = (name, row.runs, row.mean_a, row.mean_b, size, row.p, row.outcome)
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield escaped_markdown(f"{told.legend} {told.ranks}".rstrip())
    for caution in told.cautions:
        yield f"- {escaped_markdown(caution)}"


def _compared(found: ComparisonValues) -> Iterator[str]:
    told = view(found)
    yield f"**{escaped_markdown(told.headline)}**"
    if told.grounds:
        yield escaped_markdown(told.grounds)
    yield escaped_markdown(" ".join(filter(None, (told.basis, told.more_runs))))
    if told.exploratory:
        yield ""
        yield escaped_markdown(f"{BY_NUMBER} {told.exploratory}")
    yield ""
    sure = percent(found.rule.confidence)
    a, b = escaped_markdown(found.a.name), escaped_markdown(found.b.name)
    new = any(row.new != "-" for row in told.rows)  # metrics alone say nothing of new examples
    these = f"{sure}, these {found.called}" if new else f"{sure} interval"
    columns = (
        "metric",
        a,
        b,
        f"difference [{these}]",
        *((f"[new {found.called}]",) if new else ()),
        "p",
    )
    yield f"| {' | '.join(columns)} |"
    yield f"| --- |{' ---: |' * (len(columns) - 1)}"
    for row in told.rows:
        star, way = r"\*" if row.decides else "", f" ({row.way})" if row.way else ""
        name = f"{escaped_markdown(row.words)}{star}{way}"
        cells = (name, row.mean_a, row.mean_b, row.difference, *((row.new,) if new else ()), row.p)
        yield f"| {' | '.join(cells)} |"
    yield ""
    points = (
        " Accuracies in %, differences in points." if any(map(in_points, found.contrasts)) else ""
    )
    speak = "Intervals are for new seeds."
    if found.of_models:
        speak = f"The interval is for these two models on new {found.called}."
    yield rf"\* decides the sign.{points} {speak}"
    for caution in told.cautions:
        yield f"- {escaped_markdown(caution)}"


def _alone(found: Findings) -> Iterator[str]:
    metric, way = found.metric, found.shown_direction(found.metric)
    for each in found.sampled():
        sample = each.samples[metric]
        yield (
            f"**{escaped_markdown(each.setup)}: {escaped_markdown(metric_words(metric))} "
            f"{figure(metric, sample.mean)}** (sd {spread(metric, sample.sd)}, ddof 1; "
            f"n = {sample.n}{way and f'; {way}'})"
        )
    if len(found.setups) > 1:
        yield escaped_markdown(found.unjudged)
