"""`seedwise check`: a study file verified, and what is whole saved."""

from collections.abc import Sequence
from pathlib import Path

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.cli.words import rows_line
from seedwise.figures import count

__all__ = ["check"]

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
    lost runs again. What runs with large predictions score is kept in NEW.DB, so that commands
    read a study of an earlier seedwise in seconds.
    """
    from seedwise.cli.console import Console, counted
    from seedwise.cli.tables import say
    from seedwise.outputs import check_output
    from seedwise.store import check_study, repair_study
    from seedwise.study.keeping import keep_scores

    if target is not None:
        check_output(target, study)
    console = Console()
    health = check_study(study)
    say(console, f"{study}: format {health.format}, {rows_line(health.rows)}")
    for fault in health.faults:
        say(console, f"  {fault}")
    if not health.faults:
        say(console, "every row is what was stored")
    if target is not None:
        repaired = repair_study(study, target)
        say(console, f"{target}: {rows_line(repaired.kept)}")
        for table, numbers in repaired.lost.items():
            say(console, f"  lost {table}: {_some(numbers)}")
        kept = keep_scores(target, counted("scored"))
        if kept:
            say(console, f"  kept what {count(kept, 'run')} score, to be read without predictions")
    if health.faults:
        click.get_current_context().exit(1)


def _some(numbers: Sequence[int]) -> str:
    more = len(numbers) - _MOST_NAMED
    shown = ", ".join(map(str, numbers[:_MOST_NAMED]))
    return f"{shown} and {more:,} more" if more > 0 else shown
