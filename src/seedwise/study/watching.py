"""A study that runs elsewhere, as far as this machine may look."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Literal

from seedwise.comparison import StoppingRule, decisions
from seedwise.comparison.rule import fixed_rule
from seedwise.comparison.study_runs import StudyRuns, places_of_results
from seedwise.errors import StudyError
from seedwise.live.claim import beside, network_file_system, runner_of
from seedwise.live.ended import ended_runs, with_metric
from seedwise.live.events import Compared, Looked, Planned
from seedwise.live.interim import PairedSoFar, interim_of
from seedwise.live.progress import StudyProgress
from seedwise.live.publish import told
from seedwise.live.snapshot import Snapshot
from seedwise.locks import Holder
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE
from seedwise.store import Store
from seedwise.study.stopping import most_runs

__all__ = ["Lookout", "Sight", "as_stored", "refuse_foreign", "version_of"]

Work = Literal["here", "elsewhere", "killed", "nobody"]
_WORK: Mapping[bool | None, Work] = {True: "here", False: "killed", None: "elsewhere"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A study as it is seen from outside.

    Attributes:
        snapshot: How far it is.
        work: Who makes its runs: a process `here` on this machine; one `elsewhere`, of which this
            machine cannot know whether it lives; one that was `killed`; or `nobody`.
        holder: That process; None for nobody.
        at: When that process said so; where it said nothing, when the last run ended; UTC.
        told: Whether the process said it; runs under way are known only then.
        complete: Whether nothing is left to make, as far as the study was planned.
    """

    snapshot: Snapshot
    work: Work
    holder: Holder | None
    at: datetime | None
    told: bool
    complete: bool

    def age(self, now: datetime) -> float:
        """Seconds since `at`, by clocks that may differ; 0 where nothing is known."""
        return 0.0 if self.at is None else max(0.0, (now - self.at).total_seconds())


class Lookout:
    """Looks at a study again and again, and reads its file only when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: object = None
        self._stored: Sight | None = None

    def look(self) -> Sight:
        """The study at this moment.

        What its process said is all that is read while one works on it: that is as new as the
        file, and the file may be on a network file system, where only that machine may read it.

        Raises:
            StudyError: There is no such study, or it cannot be read, here or at this moment.
        """
        if not self._path.exists():
            return self._read()  # says what is wrong
        found, said = runner_of(self._path), told(self._path)
        holder = found.holder if found else None
        work: Work = "nobody"
        if found is not None:
            work = _WORK[found.alive]
        elif said is not None:  # no locks on this system, or it could not be removed
            work, holder = "elsewhere", said.holder
        if said is None or said.holder != holder:
            refuse_foreign(self._path)
            return replace(self._read(), work=work, holder=holder)
        at = datetime.fromisoformat(said.at)
        if work == "killed":
            return replace(self._read(), work=work, holder=holder, at=at)
        return Sight(
            snapshot=said.snapshot, work=work, holder=holder, at=at, told=True, complete=False
        )

    def _read(self) -> Sight:
        version = version_of(self._path)
        if self._stored is None or version != self._version:
            self._stored = as_stored(self._path)
            self._version = version
        return self._stored


def refuse_foreign(path: Path) -> None:
    """Refuse to read a study that another machine may be writing, on a file system of both.

    Raises:
        StudyError: It is one.
    """
    found, kind = runner_of(path), network_file_system(path)
    if found is not None and found.alive is None and kind is not None:
        raise StudyError(
            f"{path} lies on a network file system ({kind}) and is being run by {found.holder}: "
            "only that machine can read it until it ends; look there"
        )


def version_of(path: Path) -> object:
    """Something that differs once a study file was written to; None where there is no file."""
    found = list[tuple[int, int]]()
    for file in (path, beside(path, "-wal")):
        try:
            facts = file.stat()
        except OSError:
            continue
        if facts.st_size:  # an empty log comes and goes with whoever reads
            found.append((facts.st_mtime_ns, facts.st_size))
    return tuple(found) or None


def _asked_for(study: StudyRuns, asked: Mapping[str, Collection[Seed]]) -> Set[tuple[str, Seed]]:
    """The runs that were planned, or asked for by the last call that named their setup."""
    plan, setups = study.plan, study.setups
    if plan is None:
        return {(name, seed) for name in setups for seed in asked.get(name, ())}
    planned = frozenset(map(Seed.parse, plan["seeds"]))
    dropped = {each.name for each in study.aside.dropped} - setups.keys()
    later = {
        # Earlier versions kept no more than the plan; a setup that came later was to follow it.
        name: asked.get(name, () if setup.train == ELSEWHERE else planned)
        for name, setup in setups.items()
    }
    return {
        *product((name for name in plan["setups"] if name not in dropped), planned),
        *((name, seed) for name, seeds in later.items() for seed in seeds),
    }


def as_stored(path: Path) -> Sight:
    """A study that no process works on, from its file.

    Raises:
        StudyError: There is no such file, or it cannot be read.
    """
    with Store.open(path, readonly=True) as store:
        study = StudyRuns(store)
        runs, rule = study.all, StoppingRule.of(study)
        results = places_of_results(runs)
        missing = set[tuple[str, Seed]]()
        events: list[Looked | Compared] = []
        if rule is not None:
            planned = most_runs(study, rule)
            for name, each in decisions(study, rule).items():
                if each.n:
                    interim = interim_of(rule, name, each)
                    events.append(Looked(setup=name, decision=each, interim=interim))
        else:
            names = tuple(study.setups)
            wanted = _asked_for(study, store.asked())
            missing = wanted - results
            planned = Planned(
                setups=names, wanted=len(results) + len(missing), stored=len(results)
            )
            if names:
                seeds = {seed for _, seed in (*wanted, *results)}
                looks = PairedSoFar(store, fixed_rule(study), names, seeds, names[0])
                events += [Compared(interim=interim) for interim in looks.now()]
        planned = replace(with_metric(planned, study), tasks=study.tasks)
        ended = ended_runs(study, planned.setups, ())
    progress = StudyProgress(lambda: ended)
    for event in (planned, *events):
        progress.take(event, 0.0)
    snapshot = progress.snapshot(0.0)
    left = {name: sum(setup == name for setup, _ in missing) for name in planned.setups}
    if rule is None:
        counts = {
            name: replace(each, wanted=each.done + left[name])
            for name, each in snapshot.setups.items()
        }
        snapshot = replace(snapshot, setups=counts)
    open_ = rule is not None and (
        len(snapshot.interims) < len(rule.candidates)
        or any(each.state == "running" for each in snapshot.interims)
    )
    return Sight(
        snapshot=snapshot,
        work="nobody",
        holder=None,
        at=max((run.ended_at for run in runs), default=None),
        told=False,
        complete=not missing and not open_,
    )
