"""The least that an executor may be: what study code is tested against without any machinery."""

from dataclasses import dataclass

from seedwise.executors.job import load_function, perform


@dataclass(frozen=True)
class FakeExecutor:
    """Takes as many jobs as it has workers, makes them here, and gives the last one back first."""

    workers: int = 3
    here: bool = True

    def choose(self, *, device, setups, runs):
        choose = load_function("seedwise.train:choose")
        return choose(device=device, jobs=self.workers, runs=runs, setups=setups)

    def cards_for_functions(self, *, device, runs):
        return ()

    def placed(self, place):
        return self

    def run(self, take, watch):
        under_way = []
        while True:
            while len(under_way) < self.workers and (job := take()) is not None:
                under_way.append(job)
            if not under_way:
                return
            job = under_way.pop()
            yield job, perform(job, watch)
