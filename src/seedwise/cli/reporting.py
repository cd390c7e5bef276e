"""`seedwise report` and `seedwise plot`: what a study shows, to look at."""

from pathlib import Path

import click

from seedwise.cli import options
from seedwise.cli.base import Command

__all__ = ["plot", "report"]

_metric = click.option(
    "--metric", help="What decides, as in `seedwise compare`.  [default: as it was fixed]"
)


@click.command(
    cls=Command,
    example=[
        "seedwise report study.db",
        "seedwise report study.db mish relu -o relu.html",
    ],
    exits={0: "written", 2: "no such study, setup or metric, or no finished run"},
)
@options.study
@click.argument("setups", nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to.  [default: beside the study, STUDY.html]",
)
@_metric
@options.better
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where decoded pixels are kept, for pictures of images.",
)
def report(
    study: Path,
    setups: tuple[str, ...],
    output: Path | None,
    metric: str | None,
    better: tuple[tuple[str, str], ...],
    cache: Path | None,
) -> None:
    """Write what STUDY.DB shows to one HTML file.

    The verdict comes first, then every run, how the difference settled, where the noise comes
    from, classes and images, and how all of it was made. The first setup named is the baseline;
    with none named, all are shown. The file needs no network. Reads the study only.
    """
    from seedwise.study import Study

    file = Study(study, cache=cache, better=options.better_of(better)).report(
        output or study.with_suffix(".html"), setups=setups, metric=metric
    )
    click.echo(file)


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
    ],
    exits={0: "written", 2: "no such study, kind, setup or metric, or nothing to draw"},
)
@options.study
@click.argument("kind")
@click.argument("setups", nargs=-1)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to: a name that ends in .svg, .png or .json (Vega-Lite).",
)
@_metric
@options.better
@click.option("--dark", is_flag=True, help="For a dark page.")
def plot(
    study: Path,
    kind: str,
    setups: tuple[str, ...],
    output: Path,
    metric: str | None,
    better: tuple[tuple[str, str], ...],
    dark: bool,
) -> None:
    """Write one chart of STUDY.DB, of KIND, to a file.

    The first setup named is the baseline; with none named, all are drawn. Pictures need the
    package vl-convert-python: pip install 'seedwise[charts]'. Reads the study only.
    """
    from seedwise.outputs import check_output
    from seedwise.study import Study

    check_output(output, study)
    chart = Study(study, better=options.better_of(better)).chart(kind, *setups, metric=metric)
    click.echo(chart.save(output, theme="dark" if dark else "light"))
