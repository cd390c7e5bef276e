"""Optuna: a trial is judged by a comparison over a few seeds, not by one lucky run.

Each trial trains its candidate with three seeds, and its value is how much better it is than the
baseline on the same three: what both owe to a seed cancels out. The winner of a search has been
lucky among many, so it is compared again, with seeds that no trial has seen.
"""

from functools import partial

import optuna

import seedwise
from digits import valid_y
from sklearn_function import fit

SEARCH, FRESH = range(3), range(100, 105)


def train(seed, width):
    return fit((width,), seed)


def value(study, width):
    name = f"width {width}"
    study.run(
        {"baseline": partial(train, width=8), name: partial(train, width=width)}, seeds=SEARCH
    )
    frame = study.runs().query("init in @SEARCH").groupby("setup")["accuracy"].mean()
    return frame[name] - frame["baseline"]


if __name__ == "__main__":
    study = seedwise.Study("widths.db", targets=valid_y)
    search = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    search.optimize(
        lambda trial: value(study, trial.suggest_int("width", 8, 64, step=8)), n_trials=4
    )
    best = search.best_params["width"]

    again = seedwise.Study("winner.db", targets=valid_y)
    setups = {"baseline": partial(train, width=8), "winner": partial(train, width=best)}
    again.run(setups, seeds=FRESH)
    print(again.compare("baseline", "winner"))
