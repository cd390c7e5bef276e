"""`seedwise check` and `merge`: study files looked after."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.errors import ConfigError
from seedwise.figures import count

if TYPE_CHECKING:
    from seedwise.cli.console import Console

__all__ = ["check", "merge"]

_MOST_NAMED = 10


@click.command(
    cls=Command,
    example=["seedwise check study.db", "seedwise check study.db --repair whole.db"],
    exits={
        0: "nothing is wrong with it",
        1: "it is damaged; what is wrong is printed, and what was saved with --repair",
        2: "no study, or one that cannot be read at all",
    },
)
@options.study
@click.option(
    "--repair",
    "target",
    metavar="NEW.DB",
    type=click.Path(path_type=Path),
    help="Write what is whole to this new file.",
)
def check(study: Path, target: Path | None) -> None:
    """Verify every row of STUDY.DB, and save what is whole.

    Looks at the file's structure, at every row and every run's logits by their checksums, and at
    what they say together. STUDY.DB itself is never changed. With --repair, what is whole is
    written to NEW.DB, and what is lost is named; `seedwise run` with NEW.DB as its --store makes
    lost runs again.
    """
    from seedwise.cli.console import Console
    from seedwise.cli.tables import say
    from seedwise.outputs import check_output
    from seedwise.store import check_study, repair_study

    if target is not None:
        check_output(target, study)
    console = Console()
    health = check_study(study)
    say(console, f"{study}: format {health.format}, {_rows(health.rows)}")
    for fault in health.faults:
        say(console, f"  {fault}")
    if not health.faults:
        say(console, "every row is what was stored")
    if target is not None:
        repaired = repair_study(study, target)
        say(console, f"{target}: {_rows(repaired.kept)}")
        for table, numbers in repaired.lost.items():
            say(console, f"  lost {table}: {_some(numbers)}")
    if health.faults:
        click.get_current_context().exit(1)


@click.command(
    cls=Command,
    example=["seedwise merge here.db there.db -o both.db"],
    exits={
        0: "merged",
        1: "the studies hold different things under one name; nothing was written",
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
def merge(studies: Sequence[Path], output: Path) -> None:
    """Put the runs of several studies into one new file.

    The studies stay as they are. They must have one dataset and split, and what they call by one
    name must be one setup. A run that several have is there once.
    """
    from seedwise.cli.console import Console
    from seedwise.cli.tables import say
    from seedwise.store import Conflicts, merge_studies

    if len(studies) < 2:
        raise ConfigError(f"merge needs two studies or more, got {studies[0]}")
    console = Console()
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
    say(console, f"{output}: {_rows(rows)}")


def _rows(rows: Mapping[str, int]) -> str:
    """The rows that people count."""
    runs, setups = rows.get("runs", 0), rows.get("setups", 0)
    return f"{count(setups, 'setup')}, {count(runs, 'run')}, {rows.get('logits', 0):,} with logits"


def _some(numbers: Sequence[int]) -> str:
    more = len(numbers) - _MOST_NAMED
    shown = ", ".join(map(str, numbers[:_MOST_NAMED]))
    return f"{shown} and {more:,} more" if more > 0 else shown


def _say_more(console: "Console", more: int) -> None:
    from seedwise.cli.tables import say

    if more > 0:
        say(console, f"and {more:,} more")
