"""The command line: words in, exit codes out. Importing it loads nothing heavy."""

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
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="seedwise", message="seedwise %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Tell whether training setup B really beats setup A.

    Trains each setup with several seeds, keeps every run in a study file, and compares.
    """
    print_help(ctx)


for command in (
    aa.aa,
    bench.bench,
    check.check,
    compare.compare,
    data.data,
    demo.demo,
    drop.drop,
    export.export,
    import_.import_,
    merge.merge,
    plan.plan,
    plot.plot,
    record.record,
    repeat.repeat,
    report.report,
    run.run,
    status.status,
    table.table,
    variance.variance,
    watch.watch,
):
    cli.add_command(command)


def main() -> None:
    """Run the program `seedwise`."""
    cli(prog_name="seedwise")
