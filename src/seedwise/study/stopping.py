"""The runs of a study that stops by a rule: no more than the undecided comparisons need."""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice

from seedwise.comparison import StoppingRule, decisions
from seedwise.comparison.stopping import TRIES, left_out
from seedwise.comparison.study_runs import StudyRuns, places_of_results
from seedwise.executors.job import Job
from seedwise.live.events import Looked, Planned, Watch
from seedwise.live.interim import interim_of
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.stats.sequential import Decision
from seedwise.store import Store
from seedwise.study.orders import Wanted

__all__ = ["StoppingOrders", "most_runs"]

_HOPELESS = 3
"""A setup that so many seeds in a row fail for is not trained on in this call."""


class StoppingOrders:
    """Gives out the runs that the next looks need: seed by seed, baseline first.

    Candidates are dropped one by one as they are decided; the baseline goes on for the others.
    With several workers, runs of later seeds are begun before a look is complete: so many seeds
    ahead as there are workers, and no more, for the rule may have no use for them. When a look
    decides, runs under way are still stored, but no look of a decided candidate takes them in.
    """

    def __init__(
        self,
        store: Store,
        rule: StoppingRule,
        job: Callable[[Wanted], Job],
        tell: Watch,
        *,
        workers: int,
    ) -> None:
        self._store, self._rule, self._job, self._tell = store, rule, job, tell
        self._workers = workers
        self._under_way = set[tuple[str, Seed]]()
        self._tries = Counter[tuple[str, Seed]]()
        self._failing = Counter[str]()
        self._decisions: Mapping[str, Decision] = {}
        self._look()

    @property
    def open(self) -> tuple[str, ...]:
        """The candidates that are not decided yet."""
        return tuple(name for name, found in self._decisions.items() if found.reason == "running")

    def take(self) -> Job | None:
        """The next job; None when all is decided, or when what is missing fails."""
        wanted = self._next()
        if wanted is None:
            return None
        self._under_way.add((wanted.setup, wanted.seed))
        return self._job(wanted)

    def give_up(self, setup: str) -> bool:
        """Give out no more jobs of a setup; whether a comparison is left."""
        self._failing[setup] = _HOPELESS
        hopeful = [name for name in self.open if not self._gives_up_on(name)]
        return bool(hopeful) and not self._gives_up_on(self._rule.baseline)

    def ended(self, job: Job, record: RunRecord) -> None:
        """Look again, now that one more run is stored.

        A run that fails is tried as often as the rule says, by whose fault it may be: only then
        its seed is left out for both setups.
        """
        key = (job.name, job.seed)
        self._under_way.remove(key)
        if record.state == "failed":
            self._tries[key] += 1
            self._failing[job.name] += self._tries[key] == TRIES
            return
        self._look()
        copied = key in self._out
        self._failing[job.name] = self._failing[job.name] + 1 if copied else 0

    def _look(self) -> None:
        runs = self._store.runs()
        self._done = places_of_results(runs)
        self._out = left_out(runs)
        before = self._decisions
        self._decisions = decisions(StudyRuns(self._store), self._rule)
        for name, found in self._decisions.items():
            if found.n and (name not in before or found.n > before[name].n):
                seen = interim_of(self._rule, name, found)
                self._tell(Looked(setup=name, decision=found, interim=seen))

    def _next(self) -> Wanted | None:
        if self._gives_up_on(self._rule.baseline):
            return None
        candidates = [name for name in self.open if not self._gives_up_on(name)]
        if not candidates:
            return None
        for seed in islice(self._rule.seeds(), self._horizon(candidates)):
            if (self._rule.baseline, seed) in self._out:
                continue
            pairs = [name for name in candidates if (name, seed) not in self._out]
            for name in (self._rule.baseline, *pairs) if pairs else ():
                if self._is_to_make((name, seed)):
                    return Wanted(setup=name, seed=seed)
        return None

    def _horizon(self, candidates: list[str]) -> int:
        """Number of seeds that may be begun: those looked at, those that fail, and some ahead."""
        looked_at = min(self._decisions[name].n for name in candidates)
        failing = sum(tries >= TRIES for tries in self._tries.values())
        return looked_at + len(self._out) + failing + self._workers

    def _is_to_make(self, key: tuple[str, Seed]) -> bool:
        known = key in self._done or key in self._under_way
        return not known and self._tries[key] < TRIES

    def _gives_up_on(self, setup: str) -> bool:
        return self._failing[setup] >= _HOPELESS


def most_runs(study: StudyRuns, rule: StoppingRule) -> Planned:
    """The runs that the rule may take at most, from what is stored."""
    names = (rule.baseline, *rule.candidates)
    open_ = [name for name, found in decisions(study, rule).items() if found.reason == "running"]
    going = {rule.baseline, *open_} if open_ else set[str]()
    runs = study.all
    have = Counter(run.setup for run in runs if run.state != "failed")
    cap = rule.stop.max_runs
    most = {name: max(cap or 0, have[name]) if name in going else have[name] for name in names}
    return Planned(
        setups=names,
        wanted=None if going and cap is None else sum(most.values()),
        stored=sum(have[name] for name in names),
        stops=True,
    )
