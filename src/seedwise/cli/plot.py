"""`seedwise plot`: one chart of a study."""

from pathlib import Path
from typing import Any

import click

from seedwise.cli import options
from seedwise.cli.base import Command

__all__ = ["plot"]


class _Plot(Command):
    """A command whose help lists the kinds of charts, which takes what draws them."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from seedwise.report.charts import KINDS

        with formatter.section("Kinds"):
            formatter.write_dl([(name, kind.shows) for name, kind in KINDS.items()])
        super().format_epilog(ctx, formatter)


@click.command(
    cls=_Plot,
    example=[
        "seedwise plot study.db forest -o forest.svg",
        "seedwise plot study.db runs mish relu -o runs.png --dark",
        "seedwise plot study.db forest -o forest.pdf --style paper",
    ],
    exits={0: "written", 2: "no such study, kind, setup or metric, or nothing to draw"},
)
@options.study
@click.argument("kind")
@options.setups
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, ending in .svg, .pdf, .png or .json (Vega-Lite).",
)
@options.metric
@options.better
@click.option("--dark", is_flag=True, help="Colours for a dark page.")
@click.option(
    "--style",
    type=click.Choice(["page", "paper"]),
    default="page",
    show_default=True,
    help="paper: one column, 3.3 inches wide, small letters, no title.",
)
def plot(
    study: Path,
    kind: str,
    setups: tuple[str, ...],
    output: Path,
    metric: str | None,
    better: tuple[tuple[str, str], ...],
    dark: bool,
    style: Any,
) -> None:
    """Write one chart of STUDY.DB, of KIND, to a file.

    The first setup named is the baseline; with none named, all are drawn. Pictures need the
    package vl-convert-python: pip install 'seedwise[charts]'. Reads the study only.
    """
    from seedwise.outputs import check_output
    from seedwise.study import Study

    check_output(output, study)
    chart = Study(study, better=options.better_of(better)).chart(kind, *setups, metric=metric)
    click.echo(chart.save(output, theme="dark" if dark else "light", style=style))
