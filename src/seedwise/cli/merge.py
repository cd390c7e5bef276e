"""`seedwise merge`: studies put together."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedwise.cli.base import Command
from seedwise.cli.words import rows_line
from seedwise.errors import ConfigError
from seedwise.figures import count

if TYPE_CHECKING:
    from seedwise.cli.console import Console

__all__ = ["merge"]

_MOST_NAMED = 10


@click.command(
    cls=Command,
    example=[
        "seedwise merge here.db there.db -o both.db",
        "seedwise merge imagenette.db imagewoof.db -o suite.db --as-tasks",
    ],
    exits={
        0: "merged",
        1: "the studies conflict; nothing was written",
        2: "a study that cannot be used, or the new file exists or cannot be written",
    },
)
@click.argument(
    "studies", metavar="STUDY.DB...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    metavar="NEW.DB",
    required=True,
    type=click.Path(path_type=Path),
    help="The study to write.",
)
@click.option(
    "--as-tasks",
    is_flag=True,
    help="The studies are of different data: make each a task of a suite, named after its file.",
)
def merge(studies: Sequence[Path], output: Path, as_tasks: bool) -> None:
    """Put the runs of several studies into one new file.

    The studies stay as they are. They must have one dataset and split, and one name must mean one
    setup. A run that several have is kept once. With --as-tasks their data may differ: runs of
    one setup and seed become one run with the metrics of each, accuracy in place
    of predictions, and compare gives a verdict over all tasks.
    """
    from seedwise.cli.console import Console
    from seedwise.cli.tables import say
    from seedwise.store import Conflicts, merge_studies

    if len(studies) < 2:
        raise ConfigError(f"merge needs two studies or more, got {studies[0]}")
    console = Console()
    if as_tasks:
        from seedwise.study.as_tasks import join_as_tasks

        counts = join_as_tasks(studies, output)
        told = (count(number, what.removesuffix("s")) for what, number in counts.items())
        say(console, f"{output}: {', '.join(told)}")
        return
    try:
        rows = merge_studies(studies, output)
    except Conflicts as error:
        for conflict in error.conflicts[:_MOST_NAMED]:
            say(console, conflict)
        _say_more(console, len(error.conflicts) - _MOST_NAMED)
        click.echo(
            f"seedwise: nothing was written: {count(len(error.conflicts), 'conflict')}", err=True
        )
        click.get_current_context().exit(1)
    say(console, f"{output}: {rows_line(rows)}")


def _say_more(console: "Console", more: int) -> None:
    from seedwise.cli.tables import say

    if more > 0:
        say(console, f"and {more:,} more")
