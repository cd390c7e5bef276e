"""The command line: words in, exit codes out. Importing it loads nothing heavy."""

import click

from seedwise.cli.base import Group, print_help
from seedwise.cli.care import check, merge
from seedwise.cli.comparing import compare
from seedwise.cli.datasets import data
from seedwise.cli.exchange import export, import_, record, table
from seedwise.cli.looking import status
from seedwise.cli.noise import aa, repeat, variance
from seedwise.cli.planning import plan
from seedwise.cli.reporting import plot, report
from seedwise.cli.running import demo, run
from seedwise.cli.speed import bench
from seedwise.cli.watch import watch

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
    aa,
    bench,
    check,
    compare,
    data,
    demo,
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
):
    cli.add_command(command)


def main() -> None:
    """Where the program `seedwise` begins."""
    cli(prog_name="seedwise")
