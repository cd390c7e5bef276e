"""The command line: words in, exit codes out. Importing it loads nothing heavy."""

from collections.abc import Mapping, Sequence

import click

from seedwise.cli import (
    aa,
    bench,
    check,
    compare,
    data,
    demo,
    drop,
    export,
    import_,
    merge,
    plan,
    plot,
    record,
    repeat,
    report,
    run,
    status,
    table,
    variance,
    watch,
)
from seedwise.cli.base import Group, print_help

__all__ = ["cli", "main"]


@click.group(
    cls=Group,
    invoke_without_command=True,
    first=(
        ("pip install 'seedwise[train,digits]'", "with PyTorch and the digits"),
        ("seedwise demo", "two setups, five seeds each"),
        ("seedwise report demo.db", "the results, on one page"),
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="seedwise", message="seedwise %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Tell whether training setup B really beats setup A.

    Trains each setup with several seeds, keeps every run in a study file, and compares.
    """
    print_help(ctx)


SECTIONS: Mapping[str, Sequence[click.Command]] = {
    "Start here": (demo.demo, run.run, compare.compare, record.record, import_.import_),
    "Look": (status.status, watch.watch, report.report, plot.plot, variance.variance),
    "Plan": (plan.plan, aa.aa, repeat.repeat, bench.bench),
    "Share": (table.table, export.export, merge.merge),
    "Care": (data.data, check.check, drop.drop),
}
"""The commands as they are listed: by what users come for."""

for section, commands in SECTIONS.items():
    for command in commands:
        cli.add_command(command, section=section)


def main() -> None:
    """Run the program `seedwise`."""
    cli(prog_name="seedwise")
