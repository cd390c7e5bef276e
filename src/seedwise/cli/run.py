"""`seedwise run`: what a study.toml wants."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from seedwise.cli import options
from seedwise.cli.base import Command
from seedwise.errors import CodeNotRun, ConfigError, StudyError, Unsettled
from seedwise.figures import count

if TYPE_CHECKING:
    from seedwise.cards import Devices
    from seedwise.cli.console import Console
    from seedwise.comparison import Summary
    from seedwise.executors.base import Executor
    from seedwise.seeds import Seed
    from seedwise.study import Study
    from seedwise.study.config import StudyConfig

__all__ = ["EXITS", "run", "run_study"]

_executor = click.option(
    "--executor", help="Where runs are made: local or ray.  [default: the file's, else local]"
)
_time_limit = click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which a run is ended and counts as failed.",
)
EXITS = {
    0: "all runs are stored",
    1: "some runs failed; the same command tries them again",
    2: "the study cannot be run as written",
    130: "stopped by Ctrl-C; the same command continues",
    143: "stopped by SIGTERM; the same command continues",
}


@click.command(
    cls=Command,
    example=["seedwise run study.toml", "seedwise run study.toml --seeds 0:20 --jobs 2"],
    exits=EXITS,
)
@click.argument("study", metavar="STUDY.TOML", type=click.Path(path_type=Path))
@click.option("--seeds", help="Seeds instead of the file's, or some of them: 10, 0:10 or 1,2,7.")
@click.option(
    "--sources",
    help="Crossed seeds instead of the file's, to tell the sources of variance apart: "
    "init,order,augment=3, or init=5,order=3.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    help="The study file.  [default: the name of STUDY.TOML with .db, in this folder]",
)
@_executor
@options.jobs
@options.pack
@options.devices
@_time_limit
@options.device
@options.cache
@options.code_unchanged
def run(study: Path, **options: Any) -> None:
    """Train the runs of STUDY.TOML that are not stored yet.

    Shows progress, stores each run as soon as it ends, and prints the means and standard
    deviations of all setups and the verdict. If stopped at any moment, the same command
    continues. Modules that train are also looked for beside STUDY.TOML.
    """
    run_study(study, **options)


def run_study(
    file: Path,
    *,
    seeds: str | None,
    sources: str | None,
    store: Path | None,
    executor: str | None,
    jobs: int | None,
    pack: int | Literal["auto"] | None,
    devices: "Devices | None",
    time_limit: float | None,
    device: str,
    cache: Path | None,
    code_unchanged: bool,
) -> None:
    """Make the runs of a study.toml that are missing, and print what all of them show."""
    from seedwise.cli.console import Console
    from seedwise.cli.display import watching
    from seedwise.cli.tables import print_summary
    from seedwise.comparison.study_runs import StudyRuns
    from seedwise.live.ended import ended_runs
    from seedwise.study import Study
    from seedwise.study.config import load_study

    config = load_study(file)
    wanted = _seeds(config, seeds, sources)
    path = store or config.store
    if _names_code(config):  # last, so that a module there hides none that is installed
        sys.path.append(str(file.resolve().parent))
    study = Study(
        path,
        dataset=config.dataset,
        split=config.split,
        views=config.views,
        source=config.source,
        cache=cache,
        better=config.better,
        called=config.called,
        tasks=config.tasks,
        bank=config.bank,
    )
    console = Console()

    def stored():
        with StudyRuns.open(path) as runs:
            return ended_runs(runs, config.setups, wanted or ())

    with watching(console, stored) as watch:
        summary = study.run(
            config.setups,
            seeds=wanted,
            planned=_planned(config, wanted),
            until=config.stop if wanted is None else None,
            baseline=config.baseline,
            rule=config.rule,
            executor=_chosen_executor(
                config,
                executor,
                workers=jobs,
                pack=pack,
                devices=devices,
                time_limit=time_limit,
            ),
            device=device,
            code_unchanged=code_unchanged,
            watch=watch,
        )
    undecided = list[str]()
    if sources is None:
        print_summary(console, summary)
        if wanted is None:  # else the comparisons tell it
            undecided = _print_decisions(console, path)
    else:  # runs that share seeds are no sample to sum up or to compare
        _print_sources(console, study, summary, config)
    if wanted is None:
        if undecided:
            _end_with_failures(f"failed runs keep {' and '.join(undecided)} undecided", path)
        return
    if sources is None:
        _compare_with_baseline(console, study, config, summary)
    results = sum(run.state != "failed" for run in stored())
    missing = len(config.setups) * len(wanted) - results
    if missing:
        _end_with_failures(f"{count(missing, 'run')} failed", path)


def _names_code(config: "StudyConfig") -> bool:
    """Tell whether a study.toml names functions that train or judge."""
    from seedwise.comparison.metrics import names_code
    from seedwise.setups import BUILT_IN

    metric = config.rule.metric if config.rule else None
    trained = any(setup.train != BUILT_IN for setup in config.setups.values())
    return trained or (metric is not None and names_code(metric, ()))


def _chosen_executor(config: "StudyConfig", name: str | None, **said: Any) -> "Executor":
    """The executor of the file, with what the command line says instead."""
    from seedwise.executors.registry import changed, executor_from

    named = config.executor if name is None else executor_from(name)
    # The file's own kind, named once more, keeps what the file says of it: its address above all.
    same = type(named) is type(config.executor)
    return changed(config.executor if same else named, **said)


def _seeds(
    config: "StudyConfig", seeds: str | None, sources: str | None
) -> "tuple[Seed, ...] | None":
    """The seeds that are wanted; None where neither options nor file name any."""
    from seedwise.study.seeding import parse_seeds, parse_sources

    if seeds is not None and sources is not None:
        raise ConfigError("--seeds and --sources both name the seeds; give one of them")
    if sources is not None:
        return parse_sources(sources)
    return config.seeds if seeds is None else parse_seeds(seeds)


def _planned(
    config: "StudyConfig", wanted: "tuple[Seed, ...] | None"
) -> "tuple[Seed, ...] | None":
    """The file's seeds, where those that are wanted are a part of them; else None."""
    if config.seeds is None or wanted is None:
        return None
    return config.seeds if set(wanted) <= set(config.seeds) else None


def _print_sources(
    console: "Console", study: "Study", summary: "Summary", config: "StudyConfig"
) -> None:
    """Print where the noise of each setup of the file comes from."""
    from seedwise.cli.noise_tables import print_variance

    for setup in summary.setups:
        if setup.finished and setup.name in config.setups:
            print_variance(console, study.variance(setup.name))


def _end_with_failures(what: str, path: Path) -> None:
    click.echo(f"seedwise: {what}; `seedwise status {path}` says why", err=True)
    click.get_current_context().exit(1)


def _print_decisions(console: "Console", path: Path) -> list[str]:
    """Print what the study's stopping rule says, if it has one; the candidates still open."""
    from seedwise.cli.verdicts import print_decisions, stored_decisions

    rule, found, called = stored_decisions(path)
    if rule is not None:
        print_decisions(console, rule, found, called)
    return [name for name, decision in found.items() if decision.reason == "running"]


def _compare_with_baseline(
    console: "Console", study: "Study", config: "StudyConfig", summary: "Summary"
) -> None:
    """Compare every setup of the file with the baseline, or else with the first."""
    from seedwise.cli.suites import print_suites
    from seedwise.cli.tables import sentence
    from seedwise.cli.verdicts import print_comparisons

    have_runs = {setup.name for setup in summary.setups if setup.finished or setup.diverged}
    baseline, *others = _baseline_first(config)
    names = [baseline, *(name for name in others if name in have_runs)]
    if baseline not in have_runs or len(names) < 2:
        return
    console.print()
    # The one that was fixed; named by study.toml, it may be a function.
    metric = config.rule.metric if config.rule else None
    try:
        if study.is_suite(metric):
            print_suites(console, study.compare_tasks(names, metric=metric))
        else:
            print_comparisons(console, study.compare_several(names, metric=metric))
    except (
        CodeNotRun,
        ConfigError,  # several metrics in each task, and none that is to decide
        StudyError,  # a setup has no value of a task at all
        Unsettled,
    ) as error:  # the runs are made, and their figures are printed
        sentence(console, f"No verdict: {error}.")


def _baseline_first(config: "StudyConfig") -> list[str]:
    names = list(config.setups)
    return sorted(names, key=lambda name: name != (config.baseline or names[0]))
