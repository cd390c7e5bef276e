"""Words of a study that runs to others, and their view when it ends, dies or cannot tell."""

import io
import json
import math
import os
import platform
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import trainings
from helpers.store_records import ENDED
from helpers.store_records import run as run_record
from helpers.study_files import change
from seedwise.cli.console import Console
from seedwise.cli.interims import interim_line
from seedwise.cli.picture import picture
from seedwise.comparison import Rule, Stop
from seedwise.comparison.scores import metric_values
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import StudyError
from seedwise.live import claim
from seedwise.live.events import Finished, Logged, Planned, RunStarted, RunStored
from seedwise.live.publish import Told, publishing, told
from seedwise.locks import Holder, locked
from seedwise.records import EpochRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store
from seedwise.study import Study, watching
from seedwise.study.watching import Lookout, as_stored, version_of


def number(seed):
    return {"accuracy": 0.8 + seed.init / 100}


def other(seed):
    return {"accuracy": 0.81 + (seed.init % 2) / 100}


def fails(seed):
    raise RuntimeError("the disk is on fire")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


def watched(study, setups, **settings):
    """What somebody else sees at each event."""
    seen = []
    lookout = Lookout(study.path)

    def watch(event):
        seen.append((event, told(study.path), lookout.look()))

    study.run(setups, watch=watch, **settings)
    return seen


def test_each_run_is_told_when_it_begins_and_when_it_ends(path):
    seen = watched(Study(path), {"a": number, "b": other}, seeds=3)
    begun = [said for event, said, _ in seen if isinstance(event, RunStarted)]
    assert [[each.setup for each in said.snapshot.runs] for said in begun] == [["a"], ["b"]] * 3
    assert [said.snapshot.done for said in begun] == [0, 1, 2, 3, 4, 5]
    event, said, _ = seen[-1]
    assert isinstance(event, Finished)
    assert (said.snapshot.done, said.snapshot.missing, said.snapshot.runs) == (6, 0, ())
    assert said.snapshot.setups["a"].metrics["accuracy"].mean == pytest.approx(0.81)
    (interim,) = said.snapshot.interims
    assert (interim.setup, interim.pairs) == ("b", 3)


def test_predictions_of_a_function_are_figures_of_the_live_table_too(path):
    setups = {"plain": trainings.plain, "better": trainings.better}
    rule = Rule(metric="cross_entropy")
    seen = watched(Study(path), setups, seeds=2, rule=rule)
    (first,) = [event for event, *_ in seen if isinstance(event, RunStored)][:1]
    assert set(first.metrics) == {"accuracy", "cross_entropy"}
    last = seen[-1][1].snapshot
    assert last.metric == "cross_entropy"
    with StudyRuns.open(path) as study:
        for name in ("accuracy", "cross_entropy"):
            values = list(metric_values(study, name, study.of("plain")).values())
            assert last.setups["plain"].metrics[name].mean == pytest.approx(np.mean(values))
    told_again = as_stored(path).snapshot
    assert told_again.setups == last.setups
    assert told_again.metric == "cross_entropy"


def test_what_a_function_logs_is_told_while_it_trains(path):
    """Its first epoch at once; later ones with the next word, of which there is one a second."""
    seen = watched(Study(path), {"a": trainings.logs}, seeds=1)
    heard = [said for event, said, _ in seen if isinstance(event, Logged)]
    (run,) = heard[-1].snapshot.runs
    assert run.setup == "a"
    assert next(event.record.epoch for event, *_ in seen if isinstance(event, Logged)) == 1
    assert seen[-1][1].snapshot.runs == ()


def test_what_is_logged_is_read_back_as_it_was(path):
    last = EpochRecord(epoch=2.5, figures={"wer": 0.25, "loss": math.inf})
    events = [
        Planned(setups=("a",), wanted=1, stored=0, metric="wer", better={"wer": "lower"}),
        RunStarted(setup="a", seed=Seed.of(0), epochs=0, steps=0),
        Logged(setup="a", seed=Seed.of(0), record=last),
        RunStarted(setup="a", seed=Seed.of(1), epochs=0, steps=0),  # written at once
    ]
    with publishing(path, tuple, lambda event: None) as tell:
        for event in events:
            tell(event)
        said = told(path).snapshot
    assert said.runs[0].epochs == (last,)
    assert (said.metric, said.better) == ("wer", {"wer": "lower"})


def test_a_run_that_ends_beside_another_is_told_at_once(path):
    """The other may take an hour without a word."""
    with publishing(path, tuple, lambda event: None) as tell:
        tell(Planned(setups=("a", "b"), wanted=2, stored=0))
        for name in "ab":
            tell(RunStarted(setup=name, seed=Seed.of(0), epochs=0, steps=0))
        figures = {"state": "finished", "seconds": 1.0, "metrics": {}, "error": None}
        tell(RunStored(setup="a", seed=Seed.of(0), **figures))
        assert told(path).snapshot.done == 1
        assert [each.setup for each in told(path).snapshot.runs] == ["b"]


def test_whoever_looks_meanwhile_sees_what_the_process_said(path):
    for _, said, sight in watched(Study(path), {"a": number}, seeds=2):
        assert sight.work == "here"
        assert sight.holder == Holder(
            host=platform.node(), pid=os.getpid(), since=said.holder.since
        )
        assert (sight.told, sight.complete) == (True, False)
        assert sight.snapshot == said.snapshot


def test_nothing_is_left_when_the_study_has_ended(path):
    Study(path).run({"a": number}, seeds=2)
    assert {file.name for file in path.parent.iterdir()} == {"study.db"}
    sight = Lookout(path).look()
    assert (sight.work, sight.complete, sight.holder, sight.told) == ("nobody", True, None, False)
    assert sight.snapshot.setups["a"].done == 2


def test_where_nothing_can_be_told_the_study_goes_on(path):
    (path.parent / "study.db.live.tmp").mkdir()
    seen = watched(Study(path), {"a": number}, seeds=2)
    assert [said for _, said, _ in seen] == [None] * len(seen)
    works = {(sight.work, sight.told) for _, _, sight in seen}
    assert works == {("here", False)}
    assert seen[-1][2].snapshot.setups["a"].done == 2  # read from the file
    assert Lookout(path).look().complete


def leave_behind(path, *, host=None, said=True):
    """A study of two setups and three seeds whose process was killed after the first run."""

    class Killed(BaseException):
        pass

    here = {file: None for file in ("study.db.lock", "study.db.live")}

    def watch(event):
        if isinstance(event, RunStarted) and event.setup == "b":
            here.update({name: (path.parent / name).read_text() for name in here})
            raise Killed

    with pytest.raises(Killed):
        Study(path).run({"a": number, "b": other}, seeds=3, watch=watch)
    for name, text in here.items():
        data = json.loads(text)
        (data.get("holder") or data)["host"] = host or platform.node()
        if said or name.endswith("lock"):
            (path.parent / name).write_text(json.dumps(data))


def test_a_killed_process_is_seen_to_be_gone(path):
    leave_behind(path)
    sight = Lookout(path).look()
    assert (sight.work, sight.told, sight.complete) == ("killed", False, False)
    assert sight.holder.pid == os.getpid()
    assert 0 <= sight.age(datetime.now(UTC)) < 60
    assert {name: each.done for name, each in sight.snapshot.setups.items()} == {"a": 1, "b": 0}
    assert {name: each.wanted for name, each in sight.snapshot.setups.items()} == {"a": 3, "b": 3}
    assert sight.snapshot.runs == ()
    Study(path).run({"a": number, "b": other}, seeds=3)
    assert Lookout(path).look().complete


def test_another_machine_is_believed_and_its_file_left_alone(path, monkeypatch):
    leave_behind(path, host="elsewhere")

    def refused(path):
        raise AssertionError("the study was read")

    monkeypatch.setattr(watching, "as_stored", refused)
    sight = Lookout(path).look()
    assert (sight.work, sight.told, sight.holder.host) == ("elsewhere", True, "elsewhere")
    assert [(each.setup, each.seed) for each in sight.snapshot.runs] == [("b", "0")]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert 3600 <= sight.age(later) < 3700


def test_another_machine_that_says_nothing_is_read_only_where_that_is_safe(path, monkeypatch):
    leave_behind(path, host="elsewhere", said=False)
    sight = Lookout(path).look()
    assert (sight.work, sight.told) == ("elsewhere", False)
    assert sight.snapshot.setups["a"].done == 1
    monkeypatch.setattr(watching, "network_file_system", lambda path: "nfs4")
    with pytest.raises(StudyError, match=r"file system \(nfs4\) .* on elsewhere"):
        Lookout(path).look()


def test_a_study_is_read_again_only_when_it_has_changed(path, monkeypatch):
    Study(path).run({"a": number}, seeds=2)
    reads = []
    monkeypatch.setattr(watching, "as_stored", lambda path: reads.append(path) or as_stored(path))
    lookout = Lookout(path)
    before = version_of(path)
    assert lookout.look() == lookout.look()
    assert len(reads) == 1
    assert version_of(path) == before  # looking changes nothing
    Study(path).run({"a": number}, seeds=3)
    assert lookout.look().snapshot.setups["a"].done == 3
    assert len(reads) == 2


class Enough(Exception):
    pass


def after(runs):
    """Ends a call once so many runs are stored, as a signal might."""
    left = runs

    def watch(event):
        nonlocal left
        left -= isinstance(event, RunStored)
        if not left:
            raise Enough

    return watch


def test_a_study_is_complete_only_with_all_that_was_asked_for(tmp_path):
    """A third setup, seeds beyond the plan, and another number of them later."""
    path = tmp_path / "s.db"
    three = {name: trainings.plain for name in "abc"}
    two = {name: three[name] for name in "ab"}
    Study(path).run(two, seeds=3)
    assert as_stored(path).complete
    with pytest.raises(Enough):
        Study(path).run(three, seeds=3, watch=after(2))
    sight = as_stored(path)
    assert (sight.complete, sight.snapshot.setups["c"].wanted) == (False, 3)
    Study(path).run(three, seeds=3)
    assert as_stored(path).complete
    with pytest.raises(Enough):
        Study(path).run(two, seeds=6, watch=after(2))
    assert not as_stored(path).complete
    Study(path).run(two, seeds=4)  # so it was meant, in the end
    assert as_stored(path).complete


def test_what_an_earlier_version_left_of_a_third_setup_is_missing(tmp_path):
    path = tmp_path / "s.db"
    Study(path).run({"a": trainings.plain, "b": trainings.better}, seeds=3)
    Study(path).run({"c": trainings.plain}, seeds=2)
    change(path, "DELETE FROM asked")
    assert not as_stored(path).complete


def test_a_study_that_a_rule_ends_is_complete_when_it_has_decided(path):
    setups = {"a": number, "b": other, "c": fails}
    study = Study(path)
    study.run({"a": number, "b": other}, until=Stop(difference=0.05, max_runs=6))
    sight = as_stored(path)
    assert sight.complete
    (interim,) = sight.snapshot.interims
    assert interim.state == study.decisions()["b"].reason != "running"
    another = path.with_name("failing.db")
    Study(another).run(setups, until=Stop(difference=0.05, max_runs=6), watch=lambda event: None)
    assert not as_stored(another).complete  # c has no pair


def test_a_study_without_a_plan_wants_nothing(path):
    with Store.open(path, create=True) as store:
        for number_, name in enumerate("ab"):
            store.add_setup(name, Setup(lr=1.0 + number_))
            for seed in range(1 + number_):
                store.add_run(name, Seed.of(seed), run_record(), ended_at=ENDED)
    sight = as_stored(path)
    assert sight.complete
    assert {name: each.wanted for name, each in sight.snapshot.setups.items()} == {"a": 1, "b": 2}
    assert sight.at == ENDED


def test_no_study_is_one_line(path):
    with pytest.raises(StudyError, match=r"study\.db does not exist"):
        Lookout(path).look()


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What a study said, as JSON."""
    path = tmp_path_factory.mktemp("said") / "study.db"
    seen = watched(Study(path), {"a": number, "b": other}, seeds=3)
    found = next(each for event, each, _ in reversed(seen) if isinstance(event, RunStarted))
    (going,) = found.snapshot.runs
    logged = replace(going, epochs=(EpochRecord(epoch=2.5, figures={"wer": 0.5}),))
    counted = replace(logged, epochs_planned=5, steps=10)
    return asdict(replace(found, snapshot=replace(found.snapshot, runs=(logged, counted))))


def places(value, at=()):
    """Every place in a value that JSON holds."""
    yield at
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, each in value.items() if isinstance(value, dict) else ():
        yield from places(each, (*at, key))


HOSTILE = [
    *(None, True, -1, 0, 2**60, math.inf, -math.inf, math.nan, "x", "\x1b[2J", [], {}, [[]]),
    *({"a": {}}, "2026-13-45", "2026-11-24T10:00:00"),
]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_lies_there_is_read_or_ignored(tmp_path_factory, said, data):
    path = tmp_path_factory.getbasetemp() / "hostile.db"
    file = path.with_name("hostile.db.live")
    mine = json.loads(json.dumps(said))
    where = data.draw(st.sampled_from(sorted(places(mine), key=repr)))
    value = data.draw(st.sampled_from(HOSTILE))
    if not where:
        mine = value
    else:
        inner = mine
        for key in where[:-1]:
            inner = inner[key]
        inner[where[-1]] = value
    file.write_text(json.dumps(mine))
    found = told(path)
    if found is not None:
        assert isinstance(found, Told)
        for width, height in ((80, 24), (200, 50)):  # whatever is read can be shown
            drawn = picture(found.snapshot, width=width, height=height, age=1.0)
            Console(file=io.StringIO(), width=width, height=height).print(drawn)
        for each in found.snapshot.interims:
            assert interim_line(each)
        assert datetime.now(UTC) > datetime.fromisoformat(found.at)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\0", "null", '{"holder": 1}'])
def test_what_is_no_word_of_ours_is_no_word(path, text):
    (path.parent / "study.db.live").write_text(text)
    assert told(path) is None


def test_what_was_said_comes_back_as_it_was(path, said):
    (path.parent / "study.db.live").write_text(json.dumps(said))
    found = told(path)
    assert asdict(found) == said


def test_often_is_once_a_second(path, monkeypatch):
    """Steps come five times a second; what begins or ends is told at once."""
    from seedwise.live import publish
    from seedwise.live.events import StepsDone

    now = [100.0]
    monkeypatch.setattr(publish.time, "monotonic", lambda: now[0])
    with publishing(path, tuple, lambda event: None) as tell:
        tell(Planned(setups=("a",), wanted=1, stored=0))
        tell(RunStarted(setup="a", seed=Seed.of(0), epochs=1, steps=100))
        for step, (at, known) in enumerate([(100.5, 0), (101.1, 2), (101.9, 2), (102.2, 4)]):
            now[0] = at
            tell(StepsDone(setup="a", seed=Seed.of(0), epoch=0, step=step, steps=100, loss=1.0))
            assert told(path).snapshot.runs[0].step == known
    assert told(path) is None


def test_who_looks_does_not_keep_a_study_from_beginning(path, monkeypatch):
    leave_behind(path)
    lock = claim.beside(path, ".lock")
    import fcntl

    with lock.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        # The look is over while the other waits, however slow the machine is.
        monkeypatch.setattr(
            "seedwise.locks.time.sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN)
        )
        with locked(lock, wait=False):
            assert claim.runner_of(path).alive is True


def test_a_sight_without_a_time_has_no_age(path):
    Study(path).run({"a": number}, seeds=1)
    sight = replace(as_stored(path), at=None)
    assert sight.age(datetime.now(UTC)) == 0
