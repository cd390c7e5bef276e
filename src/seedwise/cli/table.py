"""`seedwise table`: setups as a table for a paper."""

from pathlib import Path

import click

from seedwise.cli import options
from seedwise.cli.base import Command, write
from seedwise.outputs import check_output

__all__ = ["table"]


@click.command(
    cls=Command,
    example=["seedwise table study.db --format latex --metric accuracy -o table.tex"],
    exits={0: "written", 2: "no such study or metric, or no finished run"},
)
@options.study
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "latex"]),
    default="markdown",
    show_default=True,
    help="LaTeX needs the package booktabs.",
)
@click.option(
    "--metric", "metrics", multiple=True, help="A column; may be repeated.  [default: all]"
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Coverage of the intervals.",
)
@options.output
def table(
    study: Path, form: str, metrics: tuple[str, ...], confidence: float, output: Path | None
) -> None:
    """Write the setups of STUDY.DB as a table for a paper.

    Mean ± standard deviation (ddof 1), number of runs, and the interval of the mean. Diverged
    runs are counted beside the others, and have no part in the figures.
    """
    from seedwise.comparison.metrics import stated_directions
    from seedwise.comparison.study_runs import StudyRuns
    from seedwise.report import paper_table, table_rows

    if output is not None:
        check_output(output, study)
    with StudyRuns.open(study) as runs:
        rows = table_rows(runs, metrics, confidence=confidence)
        stated, folds = stated_directions(runs), runs.test_to_train
    text = paper_table(rows, form=form, confidence=confidence, stated=stated, test_to_train=folds)
    write(output, text)
