"""A block of Markdown for a pull request: the verdict, its figures, and what it rests on."""

from collections.abc import Iterator

from seedwise.comparison import Comparison
from seedwise.comparison.cautions import cautions
from seedwise.comparison.decided import decision_grounds
from seedwise.comparison.phrases import metric_words, pointing, with_interval
from seedwise.comparison.sentences import (
    BY_NUMBER,
    basis,
    exploratory_sentence,
    more_runs,
    verdict_sentence,
)
from seedwise.figures import figure, in_points, interval, percent, spread
from seedwise.report.findings import Findings
from seedwise.report.papers import escaped_markdown

__all__ = ["pull_request"]


def pull_request(found: Findings) -> str:
    """The block. Names are escaped; accuracies are in points."""
    lines = list[str]()
    for each in found.comparisons:
        lines += [*_compared(each), ""]
    if not found.comparisons:
        lines += [*_alone(found), ""]
    return "\n".join(lines).rstrip() + "\n"


def _compared(found: Comparison) -> Iterator[str]:
    yield f"**{escaped_markdown(verdict_sentence(found))}**"
    ruled = found.stopping
    if ruled is not None and ruled.decision.n:
        yield escaped_markdown(decision_grounds(ruled.decision))
    yield escaped_markdown(" ".join(filter(None, (basis(found), more_runs(found)))))
    if ruled is not None:
        yield ""
        yield escaped_markdown(f"{BY_NUMBER} {exploratory_sentence(found)}")
    yield ""
    sure = percent(found.rule.confidence)
    a, b = escaped_markdown(found.a.name), escaped_markdown(found.b.name)
    yield f"| metric | {a} | {b} | difference [{sure}, these images] | [new images] | p |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, contrast in found.contrasts.items():
        star = r"\*" if name == found.deciding.metric else ""
        new, way = contrast.new_images, pointing(name, contrast.higher_is_better)
        cells = (
            f"{escaped_markdown(metric_words(name))}{star}{f' ({way})' if way else ''}",
            figure(name, contrast.sample_a.mean),
            figure(name, contrast.sample_b.mean),
            with_interval(name, contrast.difference),
            interval(name, new.low, new.high) if new else "-",
            f"{contrast.difference.p_value:.2g}",
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
    points = (
        " Accuracies in %, differences in points." if any(map(in_points, found.contrasts)) else ""
    )
    yield rf"\* decides the sign.{points} Intervals speak of new seeds."
    for caution in cautions(found):
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
