"""A study in a process of its own, which tells each run that it has stored; to be killed.

    python driver.py STUDY.DB EXECUTOR SEEDS [TRAIN]

EXECUTOR is `local`, `processes` or `ray`. Told are `begun`, `stored SETUP SEED`, `worker PID`, and
at last `finished`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from seedwise import Setup, Study
from seedwise.live.events import Finished, Planned, RunStored
from seedwise.study import LocalExecutor, RayExecutor

EXECUTORS = {
    "local": LocalExecutor(),
    "processes": LocalExecutor(workers=2),
    "ray": RayExecutor(workers=2),
}


def tell(event):
    match event:
        case Planned():
            print("begun", flush=True)
        case RunStored():
            print("stored", event.setup, event.seed, flush=True)
        case Finished():
            print("finished", flush=True)
        case _:
            pass


if __name__ == "__main__":
    path, executor, seeds, train = sys.argv[1:5]
    setups = {name: Setup(train=train) for name in ("a", "b")}
    Study(path).run(setups, seeds=int(seeds), executor=EXECUTORS[executor], watch=tell)
