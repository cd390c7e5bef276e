"""Runs of the baseline that an earlier study made, used again: its file is a bank."""

import platform
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from seedwise.code.difference import changes
from seedwise.code.parts import Code
from seedwise.comparison.study_runs import TASK, places_of_results
from seedwise.errors import ConfigError, SeedwiseError, StudyError
from seedwise.figures import count
from seedwise.live.events import Notice, Watch
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, ELSEWHERE, Setup
from seedwise.store import BANK, Store, StoredRun
from seedwise.study.coding import Origins
from seedwise.study.examples import keep_examples
from seedwise.study.fixing import fixed_tasks

__all__ = ["take_from_bank"]

_PACKAGES = ("seedwise", "numpy", "torch")
_CHOICES = ("auto", "cpu_threads")
"""Choices that a study settles for all of its runs, so that pairs round alike."""
_OF_IMAGES = ("fingerprint", "split")


def take_from_bank(
    store: Store,
    path: Path | None,
    setup: str,
    seeds: Iterable[Seed],
    *,
    origins: Origins,
    tell: Watch,
) -> None:
    """Copy the runs of a setup that another study has made with some of the seeds.

    The bank is only read. Each copy says that it is one, under `bank` in its `made_by`.

    Args:
        store: The study, with its plan and data.
        path: The bank: a study with runs of the same setup, on the same data, by the same code
            and versions; None for no bank.
        setup: Name of the setup in the study; the bank may call it otherwise.
        seeds: The seeds that the study may need.
        origins: The code that makes the runs of this call.
        tell: Told how many runs were taken.

    Raises:
        ConfigError: There is no such file, or it is the study itself.
        StudyError: The bank's runs are others than this study would make, or the study was begun
            without this bank.
    """
    if path is None:
        return
    if not path.is_file():
        raise ConfigError(f"bank: {path} does not exist; name a study with runs of the baseline")
    if path.samefile(store.path):
        raise ConfigError(f"bank: {path} is the study itself; name another one")
    with Store.open(path, readonly=True) as bank:
        name = _name_there(store, bank, setup, origins)
        _check_data(store, bank)
        wanted, there = set(seeds), places_of_results(store.runs())
        found = [
            run
            for run in bank.runs(name)
            if run.state != "failed" and run.seed in wanted and (setup, run.seed) not in there
        ]
        _check_versions(bank, found)
        _check_begun(store, bank)
        _fix(store, bank)  # all checks are done: a bank that is refused leaves no trace
        number, commits = origins.number(setup), bank.commits()
        for run in found:
            record = keep_examples(store, _record(bank, run))
            store.add_run(
                setup,
                run.seed,
                record,
                ended_at=run.ended_at,
                code=number,
                commit=commits.get(run.id),
            )
    if found:
        tell(Notice(text=f"{count(len(found), 'run')} of {setup} taken from the bank {path.name}"))


def _name_there(store: Store, bank: Store, setup: str, origins: Origins) -> str:
    """The bank's name for a setup.

    Raises:
        StudyError: It has none that is the same, trained by the same code.
    """
    aside = {dropped.label for dropped in bank.dropped()}  # what its user will not count
    known = {name: each for name, each in bank.setups().items() if name not in aside}
    ours = store.setups()[setup]
    code = origins.kept[setup].code if setup in origins.kept else None
    names = sorted(known, key=lambda name: name != setup)
    for name in names:
        if not _differences(ours, known[name]) and not _changed(bank, name, code):
            return name
    if setup not in known:
        raise StudyError(
            f"bank: {bank.path} has no setup like {setup!r}; it has {', '.join(known) or 'none'}"
        )
    why = [
        f"{field} is {here!r} here and {there!r} there"
        for field, (here, there) in _differences(ours, known[setup]).items()
    ]
    why += _changed(bank, setup, code)
    raise StudyError(
        f"bank: the setup {setup!r} of {bank.path} is another one: {'; '.join(why)}; leave the "
        "bank out, or use one that was made by this setup"
    )


def _differences(ours: Setup, theirs: Setup) -> Mapping[str, tuple[object, object]]:
    """The fields in which setups differ; of functions not their name, as their code tells."""
    here, there = ours.but(code=None), theirs.but(code=None)
    if not {BUILT_IN, ELSEWHERE} & {here.train, there.train}:
        there = there.but(train=here.train)
    return here.differences(there)


def _changed(bank: Store, name: str, code: Code | None) -> list[str]:
    """In what a code differs from one that made runs of a setup, in words.

    All of them have to be this one: that a user took changed code for the same was said of that
    study, and here the runs would be kept as made by the code of today.
    """
    if code is None:
        return []
    stored = bank.codes(name)
    if not stored:
        return ["what code made its runs is not known"]
    found = max((changes(each.code, code) for each in stored), key=len)
    return [f"its code has another {change.name}" for change in found]


def _check_data(store: Store, bank: Store) -> None:
    """Refuse runs on other examples, of other tasks, or made with other settled choices."""
    ours, theirs = store.dataset(), bank.dataset()
    tasks, others = fixed_tasks(store), fixed_tasks(bank)
    if {task.name: task.keywords for task in tasks} != {
        task.name: task.keywords for task in others
    }:
        names = [", ".join(task.name for task in each) or "none" for each in (tasks, others)]
        raise StudyError(f"bank: {bank.path} has other tasks: {names[1]}, and here {names[0]}")
    for task in tasks:
        here, there = (_images(each, task.name) for each in (store, bank))
        if here != there:
            raise StudyError(
                f"bank: the runs of {bank.path} are of other images in the task {task.name}; "
                "leave the bank out, or give the task the images and the split of the bank"
            )
    if theirs is not None:
        if ours is not None and (ours.fingerprint, ours.split) != (
            theirs.fingerprint,
            theirs.split,
        ):
            raise StudyError(
                f"bank: the runs of {bank.path} are of other examples: "
                f"{theirs.name}, split {theirs.split}; here {ours.name}, split {ours.split}"
            )
        if ours is not None and ours.views != theirs.views:
            raise StudyError(
                f"bank: the runs of {bank.path} have {len(theirs.views)} views of each image, and "
                f"here there are {len(ours.views)}"
            )
    for key in _CHOICES:
        known = bank.choice(key)
        if known is not None and store.choice(key) not in (None, known):
            raise StudyError(
                f"bank: {bank.path} was made with {key} = {known}, and this study has "
                f"{store.choice(key)}"
            )


def _images(store: Store, task: str) -> Mapping[str, object]:
    """Fingerprint and split of the images of a task; none where a function finds its own data."""
    known = store.choice(f"{TASK}{task}")
    return {key: known.get(key) for key in _OF_IMAGES} if isinstance(known, dict) else {}


def _check_versions(bank: Store, runs: Collection[StoredRun]) -> None:
    """Refuse runs that other versions made than are installed here."""
    here = _versions()
    for run in runs:
        for package, installed in here.items():
            made = run.made_by.get(package)
            if made is not None and _release(package, str(made)) != _release(package, installed):
                raise StudyError(
                    f"bank: the run of seed {run.seed} in {bank.path} was made by {package} "
                    f"{made}, and here is {installed}; leave the bank out, or install that"
                )


def _versions() -> Mapping[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _release(package: str, text: str) -> str:
    """The part of a version that may change results: no build, and of Python no patch.

    >>> _release("torch", "2.13.0+cpu"), _release("python", "3.11.7")
    ('2.13.0', '3.11')
    """
    release = text.partition("+")[0]
    return ".".join(release.split(".")[:2]) if package == "python" else release


def _check_begun(store: Store, bank: Store) -> None:
    """Refuse a study that has runs already, and was begun without this bank."""
    said, known = _said(bank), store.choice(BANK)
    if known is None and store.runs():
        raise StudyError(
            f"bank: {store.path} was begun without a bank; runs that are added after a look are "
            "chosen by it: use another study file"
        )
    if known is not None and known != said:
        raise StudyError(
            f"bank: {store.path} was begun with the bank {known['name']} of {known['made'][:16]}, "
            f"got {said['name']} of {said['made'][:16]}"
        )


def _said(bank: Store) -> Mapping[str, str]:
    """A bank as a study keeps it."""
    return {"name": bank.path.name, "made": bank.facts.created.isoformat()}


def _fix(store: Store, bank: Store) -> None:
    """Keep which bank the study uses, and take from it what the study does not know yet."""
    dataset = bank.dataset()
    if dataset is not None and store.dataset() is None:
        store.set_dataset(dataset)
    for key in _CHOICES:
        if (known := bank.choice(key)) is not None:
            store.fix_choice(key, known)
    store.fix_choice(BANK, _said(bank))


def _record(bank: Store, run: StoredRun) -> RunRecord:
    """The record that a run was stored from, marked as taken from a bank."""
    scores = {
        metric: found[0]
        for metric in run.scored
        if (found := bank.scores(metric, [run.id])) is not None
    }
    try:
        logits = bank.logits([run.id])[0] if run.has_logits else None
    except SeedwiseError as error:
        raise StudyError(f"bank: {error}") from None
    return RunRecord(
        state=run.state,
        logits=logits,
        views=run.views,
        metrics=run.metrics,
        epochs=run.epochs,
        seconds=run.seconds,
        made_by={**run.made_by, BANK: run.made_by.get(BANK, bank.path.name)},
        error=run.error,
        not_finite=run.not_finite,
        scores=scores,
        examples=bank.examples() if scores else None,
    )
