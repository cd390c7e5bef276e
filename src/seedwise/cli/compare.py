"""`seedwise compare`: the verdict."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.errors import ConfigError
from seedwise.outputs import check_output, write_output

if TYPE_CHECKING:
    from seedwise.comparison import ComparisonValues, TargetValues
    from seedwise.comparison.suite import SuiteValues

__all__ = ["compare"]

_FAILING = {
    "worse": {"worse"},
    "not-better": {"worse", "equivalent", "undecided"},
    "different": {"better", "worse"},
    "not-shown": set[str](),
}
"""The outcomes that end with exit code 1; `not-shown` goes by claims (`_unshown`)."""


@click.command(
    cls=Command,
    example=[
        "seedwise compare study.db mish relu",
        "seedwise compare study.db mish relu --margin 0.005 --fail-if worse",
        "seedwise compare study.db mish --target 0.835",
        "seedwise compare study.db --metric smoothed_accuracy:beta=10,views=original",
    ],
    exits={
        0: "compared",
        1: "compared, and --fail-if applies to a verdict",
        2: "no such setup or metric, or no finished run of it",
    },
)
@options.study
@options.setups
@options.verdict
@click.option("--target", type=float, help="Compare one setup with a fixed number instead.")
@click.option(
    "--all-pairs", is_flag=True, help="Compare every pair of setups, not each with the first."
)
@click.option(
    "--correction",
    type=click.Choice(["holm", "bh"]),
    default="holm",
    show_default=True,
    help="For several comparisons: Holm, or Benjamini-Hochberg for a screening.",
)
@click.option(
    "--fail-if",
    type=click.Choice(list(_FAILING)),
    help="Exit with 1 if any verdict is worse (worse), is anything but better (not-better), is "
    "better or worse (different), or fails to show that the setup is not worse by the margin "
    "and, with --cost, is cheaper (not-shown).",
)
@click.option(
    "--full", is_flag=True, help="Print everything, not just the ten lines that matter most."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a comparison.")
@click.option(
    "--markdown",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a Markdown block for a pull request.",
)
def compare(
    study: Path,
    fail_if: str | None,
    full: bool,
    as_json: bool,
    markdown: Path | None,
    **options: Any,
) -> None:
    """Compare setups of STUDY.DB: the first named is the baseline.

    Prints whether each of the others is better, worse, equivalent or undecided, by how much, and
    the caution that matters most; --full prints everything. With no setup named, all are compared
    with the study's first. Metric, margin, confidence and pairing are those fixed before the
    first run, unless given here; a verdict by others is exploratory. If the study stops by a
    rule, the rule's own verdict is printed, gated and put into the JSON: options change only the
    exploratory figures of --full. A metric that is a function is run only if --metric names it,
    whatever was fixed; its module is also looked for in this folder.
    If the study has tasks, the verdict is over all of them and --metric names the metric within
    each: acc of easy/acc and hard/acc; easy/acc compares in that task alone.
    Reads the study and writes nothing.
    """
    if markdown is not None:
        check_output(markdown, study)
    from seedwise.cli.console import long_reading

    with long_reading(study):
        found = _compared(study, **options)
    if fail_if == "not-shown":
        fails = _unshown(found)
    else:
        fails = bool(fail_if) and any(each.outcome in _FAILING[fail_if] for each in found)
    if markdown is not None:
        from seedwise.report.markdown import compared_block

        write_output(markdown, compared_block(found))
    if as_json:
        _print_json(found)
    else:
        _print(found, full)
    if fails:
        click.get_current_context().exit(1)


def _unshown(found: "Sequence[ComparisonValues | TargetValues | SuiteValues]") -> bool:
    """Tell whether some setup is not shown to be as good as the margin asks, and as cheap."""
    from seedwise.comparison import TargetValues
    from seedwise.comparison.suite import SuiteValues

    for each in found:
        if isinstance(each, TargetValues) or each.rule.margin is None:
            raise ConfigError(
                "--fail-if not-shown needs two setups and a margin; give e.g. --margin 0.005"
            )
        tradeoff = None if isinstance(each, SuiteValues) else each.tradeoff
        if not (tradeoff.shown if tradeoff else each.shown_not_worse):
            return True
    return False


def _compared(
    path: Path,
    *,
    setups: tuple[str, ...],
    target: float | None,
    all_pairs: bool,
    correction: Any,
    better: tuple[tuple[str, str], ...],
    over: Any,
    **verdict: Any,
) -> "Sequence[ComparisonValues | TargetValues | SuiteValues]":
    from seedwise.comparison.study_runs import StudyRuns
    from seedwise.study import Study

    ways = options.better_of(better)
    verdict["better"] = ways.pop("", None)
    study = Study(path, better=ways)
    suite = target is None and len(setups) != 1 and study.is_suite(verdict["metric"])
    if target is not None or suite:
        costs = [name for name in ("cost", "saving") if verdict.pop(name) is not None]
        if costs:
            raise ConfigError(f"--{costs[0]} is for setups compared on one metric, without tasks")
    if target is not None:
        said = {name: value for name, value in verdict.items() if value is not None}
        if len(setups) != 1 or "margin" in said or "paired" in said:
            raise ConfigError(
                f"--target compares one setup, without a margin or pairs; got {len(setups)} setups"
            )
        return [study.compare_with_target(setups[0], target, **said)]
    if len(setups) == 1:
        with StudyRuns.open(path):  # a forgotten STUDY.DB is told before a forgotten setup
            pass
        raise ConfigError(f"name two setups or more, or give --target; got only {setups[0]!r}")
    if suite:
        if all_pairs:
            raise ConfigError("--all-pairs is for single metrics: name two setups, or --metric")
        return study.compare_tasks(setups, correction=correction, over=over, **verdict)
    if over is not None:
        raise ConfigError(f"--over combines tasks, and {path} has none to combine")
    return study.compare_several(
        setups, against="all" if all_pairs else "first", correction=correction, **verdict
    )


def _print(found: "Sequence[ComparisonValues | TargetValues | SuiteValues]", full: bool) -> None:
    from seedwise.cli.console import Console
    from seedwise.cli.suites import print_suites
    from seedwise.cli.verdicts import print_comparisons, print_target
    from seedwise.comparison import ComparisonValues, TargetValues
    from seedwise.comparison.suite import SuiteValues

    console = Console()
    compared = [each for each in found if isinstance(each, ComparisonValues)]
    print_comparisons(console, compared, full=full)
    suites = [each for each in found if isinstance(each, SuiteValues)]
    print_suites(console, suites, full=full)
    for each in found:
        if isinstance(each, TargetValues):
            print_target(console, each)


def _print_json(found: "Sequence[ComparisonValues | TargetValues | SuiteValues]") -> None:
    from seedwise.comparison.suite import SuiteValues
    from seedwise.words.comparison import as_json
    from seedwise.words.suite import suite_json

    for each in found:
        told = suite_json(each) if isinstance(each, SuiteValues) else as_json(each)
        click.echo(json.dumps(told, allow_nan=False))
