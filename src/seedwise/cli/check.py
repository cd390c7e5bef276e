"""`seedwise check`: a study file verified, and its intact rows saved."""

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
        0: "the study is intact",
        1: "the study is damaged; the damage is printed and, with --repair, what was saved",
        2: "no study, or one that cannot be read at all",
    },
)
@options.study
@click.option(
    "--repair",
    "target",
    metavar="NEW.DB",
    type=click.Path(path_type=Path),
    help="Write all intact rows to this new file.",
)
def check(study: Path, target: Path | None) -> None:
    """Verify every row of STUDY.DB, and save the intact ones.

    Checks the file's structure, the checksum of every row and of every run's logits, and their
    consistency. STUDY.DB itself is never changed. With --repair, intact rows are written to
    NEW.DB and lost ones are listed; `seedwise run` with NEW.DB as its --store makes lost runs
    again. What runs with large predictions score is kept in NEW.DB, so that commands
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
        say(console, "every row is intact")
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
