"""`seedwise status`: what a study file holds."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedwise.cli import options
from seedwise.cli.base import Command

if TYPE_CHECKING:
    from seedwise.cli.console import Console
    from seedwise.comparison.study_runs import StudyRuns

__all__ = ["status"]


@click.command(
    cls=Command,
    example=["seedwise status study.db"],
    exits={0: "printed", 2: "no such study, or it cannot be read"},
)
@options.study
def status(study: Path) -> None:
    """Print what STUDY.DB holds.

    Means and standard deviations of each setup, diverged and failed runs, and which seeds one
    setup lacks that another has. Reads the study and writes nothing.
    """
    from seedwise.cli.console import Console, long_reading
    from seedwise.cli.tables import print_summary, say
    from seedwise.comparison import summarise
    from seedwise.comparison.study_runs import StudyRuns

    console = Console()
    with long_reading(study), StudyRuns.open(study) as runs:
        facts = runs.facts
        say(
            console,
            f"{study}: made {facts.created:%Y-%m-%d %H:%M} UTC by seedwise {facts.seedwise}",
        )
        print_summary(console, summarise(runs))
        _print_gaps(console, runs)
        _print_origins(console, runs)


def _print_origins(console: "Console", study: "StudyRuns") -> None:
    """Print setups that stand aside, and those whose runs are of a bank or of several commits."""
    from seedwise.cli.tables import say
    from seedwise.comparison.aside import commit_name
    from seedwise.comparison.measured import banked
    from seedwise.figures import count

    aside = study.aside
    for each in aside.dropped:
        results = sum(run.state != "failed" for run in aside.of(each.label, ()))
        say(
            console,
            f"{each.name} was dropped on {each.at:%Y-%m-%d}: {count(results, 'result')} kept as "
            f"{each.label}",
        )
    for name, runs in study.by_setup.items():
        for bank, number in banked(run for run in runs if run.state != "failed").items():
            say(console, f"{name}: {count(number, 'result')} taken from the bank {bank}")
        made = Counter(
            commit_name(aside.commits[run.id])
            for run in runs
            if run.state != "failed" and run.id in aside.commits
        )
        if len(made) > 1 or any(at.endswith("-dirty") for at in made):
            at = ", ".join(f"{commit} ({count(n, 'result')})" for commit, n in made.items())
            say(console, f"{name} was made at commits {at}")


def _print_gaps(console: "Console", study: "StudyRuns") -> None:
    """Print what was tried in vain, and which seeds a setup lacks that another has."""
    from seedwise.cli.tables import say
    from seedwise.comparison.study_runs import places_of_results

    results = places_of_results(study.all)
    failed = {(run.setup, run.seed): run for run in study.all if run.state == "failed"}
    for (setup, seed), run in failed.items():
        if (setup, seed) not in results:
            say(console, f"{setup} seed {seed} failed: {run.error}")
    for run in study.all:
        if run.state == "diverged":
            say(console, f"{run.setup} seed {run.seed} diverged: {run.error}")
    seeds = sorted({seed for _, seed in results})
    for setup in study.setups:
        missing = [str(seed) for seed in seeds if (setup, seed) not in results]
        if missing:
            say(console, f"{setup} lacks seeds that another setup has: {', '.join(missing)}")
