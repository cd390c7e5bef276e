import os
import sqlite3

import pytest

from helpers import trainings
from helpers.pictures import encoded, folders, picture
from seedwise.comparison import Rule
from seedwise.errors import CodeChanged, ConfigError, DataError, StudyError, UnknownName
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store
from seedwise.study import LocalExecutor, Study


def setups(*names):
    return {name: Setup(train=f"helpers.trainings:{name}") for name in names}


class Told:
    def __init__(self):
        self.events = []

    def __call__(self, event):
        self.events.append(event)

    def of(self, kind):
        return [event for event in self.events if type(event).__name__ == kind]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


def runs(path):
    with Store.open(path, readonly=True) as store:
        return store.runs()


@pytest.mark.parametrize("jobs", [None, 2])
def test_each_setup_is_run_with_each_seed_and_kept(path, jobs):
    summary = Study(path).run(setups("plain", "better"), seeds=4, jobs=jobs)
    assert [(s.name, s.finished, s.failed) for s in summary.setups] == [
        ("plain", 4, 0),
        ("better", 4, 0),
    ]
    assert {(run.setup, str(run.seed)) for run in runs(path)} == {
        (name, str(seed)) for name in ("plain", "better") for seed in range(4)
    }
    plain, better = (s.metrics["accuracy"].mean for s in summary.setups)
    assert better > plain


@pytest.mark.parametrize("jobs", [None, 2])
def test_functions_are_run_like_setups_and_only_where_they_are_missing(path, jobs):
    functions = {"plain": trainings.plain, "better": trainings.better}
    summary = Study(path).run(functions, seeds=3, jobs=jobs)
    assert [s.finished for s in summary.setups] == [3, 3]
    told = Told()
    Study(path).run(functions, seeds=4, jobs=jobs, watch=told)
    assert len(told.of("RunStored")) == 2


def test_functions_that_only_this_process_has_are_run_in_it(path):
    study = Study(path)
    study.run({"here": lambda seed: float(os.getpid())}, seeds=2)
    with Store.open(path, readonly=True) as store:
        assert {run.metrics["value"] for run in store.runs()} == {os.getpid()}
    with pytest.raises(ConfigError, match="jobs=2 needs functions that other"):
        study.run({"here": lambda seed: 1.0}, seeds=2, jobs=2)


def test_other_code_under_the_same_name_is_another_setup(path):
    Study(path).run({"mine": trainings.plain}, seeds=1)
    with pytest.raises(CodeChanged, match=r"the code of mine changed"):
        Study(path).run({"mine": trainings.better}, seeds=2)
    assert len(runs(path)) == 1


def test_targets_may_be_given_once(path):
    study = Study(path, targets=trainings.TARGETS)
    study.run({"a": trainings.without_targets, "b": trainings.better}, seeds=3)
    assert study.compare("a", "b").contrasts["accuracy"].difference.estimate > 0
    assert study.compare("a", "a", metric="f1").contrasts["f1"].sample_a.mean == 0.5
    later = Study(path)
    later.run({"a": trainings.without_targets}, seeds=4)
    assert later.summary().setups[0].finished == 4


@pytest.mark.parametrize(
    ("function", "targets", "error", "message"),
    [
        (trainings.without_targets, None, StudyError, "no targets: return or record them"),
        (
            trainings.other_targets,
            trainings.TARGETS,
            StudyError,
            "200 of 200 targets .* are others",
        ),
        (trainings.plain, trainings.TARGETS[:-1], StudyError, "200 targets .* has 199; every run"),
        (trainings.without_targets, trainings.TARGETS[:-1], StudyError, "made with 199"),
        (trainings.few_classes, trainings.TARGETS, StudyError, "predicts 4 classes, .* have 10"),
        (trainings.plain, [0.5, 1.5], DataError, "targets must be class numbers"),
        (trainings.plain, [], DataError, "targets must be class numbers"),
    ],
)
def test_targets_that_do_not_fit_are_refused(path, function, targets, error, message):
    with pytest.raises(error, match=message):
        Study(path, targets=targets).run({"a": function}, seeds=1)
    assert not path.exists() or runs(path) == []


def test_a_study_has_a_dataset_or_targets(path):
    with pytest.raises(ConfigError, match="not both"):
        Study(path, dataset="digits", targets=[0, 1])


def test_a_seed_gives_the_same_draws_in_any_process(path):
    here = Study(path.with_name("a.db"))
    there = Study(path.with_name("b.db"))
    for study, jobs in ((here, 1), (there, 2)):
        study.run({"draws": trainings.draws}, seeds=2, jobs=jobs)
    found = [{run.seed: dict(run.metrics) for run in runs(study.path)} for study in (here, there)]
    assert found[0] == found[1]
    assert found[0][Seed.of(0)]["global"] != found[0][Seed.of(1)]["global"]


def test_code_with_one_seed_cannot_vary_the_streams_apart(path):
    with pytest.warns(UserWarning, match="no single integer"):
        summary = Study(path).run({"draws": trainings.draws}, seeds=[(0, 0, 1)])
    assert summary.setups[0].failed == 1  # a fault of the code, which is not tried again


def test_runs_are_a_data_frame(path):
    pandas = pytest.importorskip("pandas")
    study = Study(path)
    study.run({"plain": trainings.plain, "number": trainings.number}, seeds=2)
    frame = study.runs()
    assert list(frame["setup"]) == ["plain", "number"] * 2
    assert list(frame["init"]) == [0, 0, 1, 1]
    assert isinstance(frame["ended_at"].dtype, pandas.DatetimeTZDtype)
    means = frame.groupby("setup")["accuracy"].mean()
    assert means["plain"] == pytest.approx(study.summary().setups[0].metrics["accuracy"].mean)
    assert frame.loc[frame["setup"] == "number", "accuracy"].isna().all()


def test_a_notebook_shows_tables_with_all_text_escaped(path):
    study = Study(path)
    assert study._repr_html_() is None
    summary = study.run({"<b>": trainings.plain, "b": trainings.number}, seeds=2)
    html = summary._repr_html_()
    assert html == study._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    mean = 100 * summary.setups[0].metrics["accuracy"].mean
    assert f"<td>{mean:.2f} %</td>" in html
    compared = study.compare("<b>", "<b>")._repr_html_()
    assert "<caption>&lt;b&gt; - &lt;b&gt;</caption>" in compared
    assert "<b>" not in compared
    assert compared.count("<tr>") == compared.count("</tr>") > 1


def test_only_what_is_missing_is_run(path):
    Study(path).run(setups("plain"), seeds=3)
    told = Told()
    Study(path).run(setups("plain", "better"), seeds=4, watch=told)
    (planned,) = told.of("Planned")
    assert (planned.wanted, planned.stored) == (8, 3)
    assert len(told.of("RunStored")) == 5
    told = Told()
    Study(path).run(setups("plain", "better"), seeds=4, watch=told)
    assert told.of("RunStarted") == []


def test_ctrl_c_keeps_what_was_stored_and_the_same_call_goes_on(path):
    with pytest.raises(KeyboardInterrupt):
        Study(path).run(setups("interrupts"), seeds=4)
    assert [str(run.seed) for run in runs(path)] == ["0", "1"]
    summary = Study(path).run(setups("interrupts"), seeds=[0, 1, 3])
    assert summary.setups[0].finished == 3


def test_failures_are_kept_with_their_traceback_and_the_study_goes_on(path):
    with pytest.warns(
        UserWarning, match=r"2 tries failed; .* seed 3: (?s:.)*no luck with 3"
    ) as caught:
        summary = Study(path).run(setups("fails_on_odd_seeds"), seeds=4)
    (row,) = summary.setups
    assert (row.finished, row.failed) == (2, 2)
    failed = [run for run in runs(path) if run.state == "failed"]
    assert "RuntimeError: no luck with 1" in failed[0].error
    assert "fails_on_odd_seeds" in failed[0].error
    told = Told()
    Study(path).run(setups("fails_on_odd_seeds"), seeds=4, watch=told)
    assert {str(event.seed) for event in told.of("RunStored")} == {"1", "3"}
    assert caught[0].filename == __file__


def test_diverged_runs_are_results_and_not_tried_again(path):
    summary = Study(path).run(setups("diverges"), seeds=4)
    assert (summary.setups[0].finished, summary.setups[0].diverged) == (2, 2)
    told = Told()
    Study(path).run(setups("diverges"), seeds=4, watch=told)
    assert told.of("RunStored") == []


def test_a_worker_that_dies_takes_one_run_with_it(path):
    told = Told()
    summary = Study(path).run(setups("dies"), seeds=4, jobs=2, watch=told)
    assert summary.setups[0].finished == 3
    errors = {event.error for event in told.of("RunStored") if event.state == "failed"}
    assert errors == {"the worker died (exit code 9)"}


def test_a_number_is_compared_like_any_metric(path):
    study = Study(path)
    study.run(
        {**setups("number"), "again": Setup(train="helpers.trainings:number", lr=1.0)}, seeds=3
    )
    comparison = study.compare("number", "again", metric="value", better="higher")
    assert comparison.deciding.difference.estimate == 0
    assert comparison.deciding.sample_a.mean == pytest.approx(0.901)


def test_the_first_run_fixes_what_verdicts_are_held_to(path):
    study, rule = Study(path), Rule(margin=0.05)
    study.run(setups("plain", "better"), seeds=3, rule=rule)
    study.run(setups("plain", "better"), seeds=3, rule=rule)  # the same again is no other
    found = study.compare("plain", "better")
    assert found.standing.confirmatory
    assert found.rule == rule
    with pytest.raises(StudyError, match=r"margin is 0.1 here, and 0.05 was fixed; use another"):
        study.run(setups("plain"), seeds=3, rule=Rule(margin=0.1))
    study.run(setups("plain", "better"), seeds=5)
    reasons = study.compare("plain", "better").standing.reasons
    assert reasons[0].startswith("2 seeds were added after runs were stored, beyond the 3")


def test_a_study_compares_several_setups_and_a_target_and_plans(path):
    study = Study(path)
    study.run(
        {**setups("plain", "better"), "same": Setup(train="helpers.trainings:plain", lr=1.0)},
        seeds=4,
    )
    found = study.compare_several(margin=0.2)
    assert [each.b.name for each in found] == ["better", "same"]
    assert str(found[0]).startswith("better is better than plain: accuracy is ")
    assert study.compare_with_target("better", 0.1).outcome == "better"
    plan = study.plan("plain", "better", differences=[0.05], runs=6)
    assert plan.pilot == ("plain", "better")
    assert plan.forecasts[0].reachable > 0


def test_comparison_pairs_the_seeds_that_both_ran(path):
    study = Study(path)
    study.run(setups("plain"), seeds=6)
    study.run(setups("better"), seeds=[4, 5, 6, 7])
    comparison = study.compare("plain", "better")
    assert comparison.paired
    assert comparison.deciding.difference.n_a == 2
    assert (comparison.deciding.sample_a.n, comparison.deciding.sample_b.n) == (6, 4)


def test_predictions_for_other_examples_are_refused(path):
    Study(path).run(setups("plain"), seeds=1)
    with pytest.raises(StudyError, match=r"helpers\.trainings:other_targets are others than in"):
        Study(path).run(setups("other_targets"), seeds=1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"setups": {}, "seeds": 1}, ConfigError, "at least one setup"),
        ({"setups": setups("plain"), "seeds": 0}, ConfigError, "at least one seed"),
        ({"setups": {"a": Setup()}, "seeds": 1}, ConfigError, "needs a dataset"),
        ({"setups": setups("nothing"), "seeds": 1}, ConfigError, "has no 'nothing'"),
        ({"setups": {"a": Setup(train="no_such:f")}, "seeds": 1}, ConfigError, "PYTHONPATH"),
        (
            {"setups": setups("plain"), "seeds": 1, "executor": "cloud"},
            UnknownName,
            "unknown executor 'cloud'",
        ),
        (
            {"setups": setups("plain"), "seeds": 1, "executor": LocalExecutor(), "jobs": 2},
            ConfigError,
            "jobs, pack, devices and time_limit are said in the executor",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is(path, arguments, error, message):
    with pytest.raises(error, match=message):
        Study(path).run(**arguments)
    assert not path.exists() or runs(path) == []


def test_an_unknown_setup_or_metric_is_named(path):
    study = Study(path)
    study.run(setups("plain", "better"), seeds=2)
    with pytest.raises(UnknownName, match="did you mean 'plain'"):
        study.compare("plane", "better")
    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        study.compare("plain", "better", metric="acuracy")


TINY = Setup(model="xresnet10-narrow", epochs=1, batch_size=4, size=16, precision="float32")


@pytest.fixture
def pets(tmp_path):
    layout = {f"train/{c}/{i}": 10 * i + n for n, c in enumerate("ab") for i in range(6)}
    layout |= {f"val/{c}/v{i}": 500 + 10 * i + n for n, c in enumerate("ab") for i in range(3)}
    return folders(tmp_path / "pets", layout)


def test_the_built_in_training_resumes_without_being_told_its_data_again(path, pets, tmp_path):
    cache = tmp_path / "cache"
    told = Told()
    first = Study(path, dataset=str(pets), cache=cache)
    first.run({"a": TINY}, seeds=1, device="cpu", watch=told)
    assert [type(event).__name__ for event in told.events[-4:]] == [
        "StepsDone",
        "EpochDone",
        "RunStored",
        "Finished",
    ] or told.of("EpochDone")
    summary = Study(path, cache=cache).run({"a": TINY, "b": TINY.but(lr=1e-3)}, seeds=2)
    assert [row.finished for row in summary.setups] == [2, 2]
    assert summary.examples == 6


def test_runs_do_not_depend_on_the_process_that_makes_them(path, pets, tmp_path):
    """In this process, or in one of two workers: the same logits, bit for bit."""
    cache = tmp_path / "cache"
    found = []
    for name, jobs in [("one.db", 1), ("two.db", 2)]:
        study = Study(tmp_path / name, dataset=str(pets), cache=cache)
        with Store.open(tmp_path / name, create=True) as store:
            store.fix_choice("cpu_threads", 1)
        study.run({"a": TINY}, seeds=2, jobs=jobs, device="cpu")
        with Store.open(tmp_path / name, readonly=True) as store:
            by_seed = {run.seed: run.id for run in store.runs()}
            found.append(store.logits([by_seed[Seed.of(s)] for s in (0, 1)]))
    assert (found[0] == found[1]).all()


def test_another_dataset_is_refused(path, pets, tmp_path):
    cache = tmp_path / "cache"
    Study(path, dataset=str(pets), cache=cache).run({"a": TINY}, seeds=1, device="cpu")
    (pets / "train/a/0.png").unlink()
    with pytest.raises(StudyError, match="made with other data"):
        Study(path, dataset=str(pets), cache=cache).run({"a": TINY}, seeds=2, device="cpu")


def test_other_images_of_the_same_names_sizes_and_dates_are_refused(path, pets, tmp_path):
    """As `cp -p`, rsync and tar leave them."""
    cache, files = tmp_path / "cache", sorted(pets.rglob("*.png"))
    for number, file in enumerate(files):
        file.write_bytes(encoded(picture(number), "BMP"))  # of one size, whatever is on it
    Study(path, dataset=str(pets), cache=cache).run({"a": TINY}, seeds=1, device="cpu")
    for number, file in enumerate(files):
        before = file.stat()
        file.write_bytes(encoded(picture(100 + number), "BMP"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert file.stat().st_size == before.st_size
    with pytest.raises(StudyError, match="made with other data"):
        Study(path, dataset=str(pets), cache=cache).run({"a": TINY}, seeds=2, device="cpu")


def test_reading_a_study_leaves_no_trace(path):
    Study(path).run(setups("plain", "better"), seeds=2)
    before = path.read_bytes()
    study = Study(path)
    study.summary()
    study.compare("plain", "better")
    assert path.read_bytes() == before
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
