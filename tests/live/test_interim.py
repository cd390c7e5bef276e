"""Differences while a study runs: what `compare` and the stopping rule say, run by run."""

import numpy as np
import pytest

from seedwise.comparison import Rule, Stop
from seedwise.live.events import Compared, Looked
from seedwise.live.interim import PairedSoFar
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.store import Store
from seedwise.study import Study
from seedwise.study.watching import as_stored

TARGETS = np.arange(100) % 4


def predictions(skill):
    def train(seed):
        rng = np.random.default_rng([seed.init, int(10 * skill)])
        logits = rng.normal(size=(1, 100, 4))
        logits[:, np.arange(100), TARGETS] += skill
        return {"predictions": logits, "targets": TARGETS}

    return train


def numbers(shift, name="accuracy", noise=7):
    def train(seed):
        return {name: 0.8 + shift + np.random.default_rng([seed.init, noise]).normal(0, 0.01)}

    return train


def wild(seed):
    return {"accuracy": float("nan")} if seed.init == 1 else numbers(0.01)(seed)


def wild_with_own_noise(seed):
    """As `wild`; its differences vary without the diverged run too, or no rule could ever stop."""
    return wild(seed) if seed.init == 1 else numbers(0.01, noise=8)(seed)


class Interims:
    def __init__(self):
        self.seen = []

    def __call__(self, event):
        if isinstance(event, Compared | Looked):
            self.seen.append(event.interim)

    def last(self, setup):
        return [each for each in self.seen if each.setup == setup][-1]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


def as_compared(study, interim):
    """The same differences from `compare`."""
    found = study.compare(interim.baseline, interim.setup)
    return {
        each.metric: (d.estimate, d.low, d.high)
        for each in interim.differences
        for d in [found.contrasts[each.metric].difference]
    }


def as_seen(interim):
    return {each.metric: (each.estimate, each.low, each.high) for each in interim.differences}


@pytest.mark.parametrize(
    ("a", "b", "metrics"),
    [
        (predictions(0.8), predictions(1.0), ["matched_accuracy", "accuracy"]),
        (numbers(0.0), wild, ["accuracy"]),
        (numbers(0.0, "f1"), numbers(0.1, "f1"), ["f1"]),
    ],
    ids=["predictions", "diverged", "f1"],
)
def test_the_last_is_what_compare_says(path, a, b, metrics):
    watch = Interims()
    study = Study(path)
    study.run({"a": a, "b": b}, seeds=5, watch=watch)
    last = watch.last("b")
    assert [each.metric for each in last.differences] == metrics
    assert (last.baseline, last.most, last.state, last.verdict) == ("a", 5, "early", "undecided")
    for metric, numbers_ in as_compared(study, last).items():
        assert as_seen(last)[metric] == pytest.approx(numbers_, nan_ok=True)
    assert [each.pairs for each in watch.seen] == sorted(each.pairs for each in watch.seen)


def test_a_study_that_goes_on_begins_with_what_is_stored(path):
    setups = {"a": predictions(0.8), "b": predictions(1.0), "c": predictions(0.9)}
    whole, first, second = Interims(), Interims(), Interims()
    Study(path.with_name("whole.db")).run(setups, seeds=4, baseline="b", watch=whole)
    Study(path).run(setups, seeds=2, baseline="b", watch=first)
    Study(path).run(setups, seeds=4, baseline="b", watch=second)
    assert [each.pairs for each in second.seen[:2]] == [2, 2]
    for name in "ac":
        for metric, numbers_ in as_seen(whole.last(name)).items():
            assert as_seen(second.last(name))[metric] == pytest.approx(numbers_)
        assert second.last(name).baseline == "b"


def test_a_rule_tells_what_it_saw_and_how_far_it_is(path):
    watch = Interims()
    study = Study(path)
    study.run(
        {"a": numbers(0.0), "b": wild_with_own_noise}, until=Stop(difference=0.2), watch=watch
    )
    decision = study.decisions()["b"]
    last, look = watch.last("b"), decision.trace[-1].accuracy
    assert as_seen(last) == {"accuracy": (look.estimate, look.low, look.high)}
    assert (last.state, last.verdict, last.pairs) == ("decided", decision.verdict, decision.n)
    assert last.margin == 0.2
    assert [each.state for each in watch.seen[:-1]] == ["running"] * (last.pairs - 1)
    assert all(each.more is None or each.more >= 1 for each in watch.seen)


def looks(path, rule, seeds):
    with Store.open(path, readonly=True) as store:
        return PairedSoFar(store, rule, ("a", "b"), seeds, "a").now()


def test_what_is_no_sample_of_pairs_is_not_shown(path):
    crossed = [Seed.of((init, order, 0)) for init in range(2) for order in range(2)]
    watch = Interims()
    Study(path).run({"a": numbers(0.0), "b": numbers(0.01)}, seeds=crossed, watch=watch)
    assert watch.seen == []
    path = path.with_name("unpaired.db")
    unpaired = Rule(paired=False)
    Study(path).run({"a": numbers(0), "b": wild}, seeds=3, rule=unpaired, watch=watch)
    assert watch.seen == []
    assert looks(path, Rule(), map(Seed.of, range(3))) != []


def test_what_cannot_be_compared_ends_no_study(path):
    """Two metrics of which none is said to decide: `compare` asks for one, at the end."""
    watch = Interims()
    study = Study(path)

    def two(seed):
        return {"f1": 0.5, "f2": 0.25}

    study.run({"a": two, "b": two}, seeds=2, watch=watch)
    assert watch.seen == []
    assert len(study.summary().setups) == 2


def test_a_view_that_a_run_lacks_ends_no_study(path):
    watch = Interims()
    rule = Rule(metric="accuracy:views=mirrored")
    setups = {"a": predictions(0.8), "b": predictions(1.0)}
    Study(path).run(setups, seeds=2, rule=rule, watch=watch)
    assert [run.done for run in as_stored(path).snapshot.setups.values()] == [2, 2]


def test_a_run_that_lacks_a_metric_leaves_its_pair_out(path):
    Study(path).run({"a": numbers(0.0), "b": numbers(0.01)}, seeds=2)
    with Store.open(path, readonly=True) as store:
        seen = PairedSoFar(store, Rule(), ("a", "b"), map(Seed.of, range(4)), "a")
        assert [each.pairs for each in seen.add("a", Seed.of(2), RunRecord(state="failed"))] == []
        seen.add("a", Seed.of(2), RunRecord(state="finished", metrics={"accuracy": 0.8}))
        (found,) = seen.add("b", Seed.of(2), RunRecord(state="finished", metrics={"f1": 0.1}))
        assert found.pairs == 2
