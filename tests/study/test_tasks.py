"""One study with several tasks: setups x tasks x seeds are trained."""

import json

import numpy as np
import pytest

from helpers import suites
from helpers.pictures import folders
from seedwise.errors import ConfigError, StudyError, TrainingFailed
from seedwise.executors.tasks import SuiteTask, as_tasks
from seedwise.live.progress import StudyProgress
from seedwise.setups import Setup
from seedwise.store import PLAN, Store
from seedwise.store.merge import Conflicts, merge_studies
from seedwise.study import Study
from seedwise.study.config import load_study

TASKS = {"easy": {"level": 0.8}, "hard": {"level": 0.3, "noise": 0.02}}
BOTH = {"a": suites.noisy, "b": suites.raised}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


def runs(path):
    with Store.open(path, readonly=True) as store:
        return store.runs()


def plan(path):
    with Store.open(path, readonly=True) as store:
        return store.choice(PLAN)


@pytest.mark.parametrize("jobs", [None, 2])
def test_a_run_is_a_setup_with_one_seed_on_all_tasks(path, jobs):
    Study(path, tasks=TASKS).run(BOTH, seeds=3, jobs=jobs)
    assert len(runs(path)) == 6
    for run in runs(path):
        function = BOTH[run.setup]
        assert run.metrics == {
            f"{name}/acc": function(run.seed, **given)["acc"] for name, given in TASKS.items()
        }


def test_figures_of_epochs_are_those_of_the_tasks(path):
    def logs(seed, level, noise=0.0):
        for epoch in range(1, 3 if noise else 4):
            seed.log(epoch=epoch, loss=level / epoch)
        return {"acc": level}

    Study(path, tasks=TASKS).run({"a": logs}, seeds=2)
    assert [(each.epoch, dict(each.figures)) for each in runs(path)[0].epochs] == [
        (1, {"easy/loss": 0.8, "hard/loss": 0.3}),
        (2, {"easy/loss": 0.4, "hard/loss": 0.15}),
        (3, {"easy/loss": pytest.approx(0.8 / 3)}),
    ]
    assert Study(path).chart("curves", metric="hard/loss").says.endswith("a 0.15.")


def test_a_logged_accuracy_is_not_that_of_a_task_s_predictions(path):
    def logs(seed, level):
        seed.log(epoch=1, accuracy=level)
        return {"predictions": np.eye(4), "targets": np.arange(4)}

    Study(path, tasks={"easy": {"level": 0.1}, "hard": {"level": 0.2}}).run({"a": logs}, seeds=1)
    assert runs(path)[0].metrics == {"easy/accuracy": 1.0, "hard/accuracy": 1.0}


def test_the_verdict_is_over_the_tasks_and_was_fixed_beforehand(path):
    Study(path, tasks=TASKS).run(BOTH, seeds=5)
    (found,) = Study(path).compare_tasks()
    assert found.outcome == "better"
    assert found.standing.confirmatory
    assert list(found.tasks) == ["easy", "hard"]
    assert found.difference.estimate == pytest.approx(0.1, abs=0.02)
    assert plan(path)["tasks"] == TASKS


def test_the_same_call_makes_what_is_missing(path):
    study = Study(path, tasks=TASKS)
    study.run(BOTH, seeds=2, planned=4)
    study.run(BOTH, seeds=4)
    assert len(runs(path)) == 8
    assert study.compare_tasks()[0].standing.confirmatory


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({**TASKS, "new": {"level": 0.5}}, "new is new"),
        (None, "easy is missing; hard is missing"),
        (
            {"easy": {"level": 0.8}, "hard": {"level": 0.4}},
            r'hard has {"level": 0.4} and had {"level": 0.3, "noise": 0.02}',
        ),
    ],
)
def test_tasks_do_not_change_once_the_study_has_begun(path, other, said):
    Study(path, tasks=TASKS).run(BOTH, seeds=1)
    with pytest.raises(StudyError, match=f"begun with the tasks easy, hard: {said}.* another"):
        Study(path, tasks=other).run({"a": lambda seed, level=0.8, noise=0.01: 1.0}, seeds=2)
    assert len(runs(path)) == 2


def test_tasks_do_not_come_to_runs_without_any(path):
    seedless = {"a": lambda seed: {"acc": 0.5}}
    Study(path).run(seedless, seeds=1)
    with pytest.raises(StudyError, match="begun without these tasks: easy is new; hard is new"):
        Study(path, tasks=TASKS).run(BOTH, seeds=1)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ({"a/b": {"x": 1}, "c": {"x": 2}}, "has no slash; got 'a/b'"),
        ({"": {"x": 1}, "c": {"x": 2}}, "needs a name without spaces around it, got ''"),
        ({" a": {"x": 1}, "c": {"x": 2}}, "without spaces around it, got ' a'"),
        ({3: {"x": 1}, "c": {"x": 2}}, "got 3"),
        ({"a\n": {"x": 1}, "c": {"x": 2}}, "needs a name"),
        ({}, "two tasks or more, got none"),
        ({"a": {"x": 1}}, "two tasks or more, got only a"),
        ({"a": {"x": 1}, "b": {"x": 1}}, "tasks.b has the arguments of tasks.a"),
        ({"a": 5, "b": {}}, r"tasks.a must be a table of arguments, \[tasks.a\]; got 5"),
        ({"a": {"x y": 1}, "b": {}}, "tasks.a: an argument has a name of Python's, got 'x y'"),
        ({"a": {"x": np.arange(3)}, "b": {}}, "tasks.a.x must be text"),
        ({"a": {"x": float("nan")}, "b": {}}, "tasks.a.x must be .* got nan"),
        (["a", "b"], "must be tables of arguments by their names"),
    ],
)
def test_what_can_be_no_tasks_is_refused(path, tasks, said):
    with pytest.raises(ConfigError, match=said):
        Study(path, tasks=tasks)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"level": 0.1, "speed": 3}, r"\(seed, level, speed\): .*unexpected .* 'speed'"),
        ({"seed": 3, "level": 0.1}, ".*multiple values for argument 'seed'"),
        ({"noise": 0.5}, ".*missing a required argument: 'level'"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_an_argument_that_a_function_does_not_take_is_told_before_the_first_run(
    path, given, said, named
):
    setup = Setup(train="helpers.suites:noisy") if named else suites.noisy
    with pytest.raises(
        ConfigError, match=f"function of setup 'a' takes .*task 'odd' gives it {said}"
    ):
        Study(path, tasks={**TASKS, "odd": given}).run({"a": setup}, seeds=1)
    assert not path.exists() or not runs(path)


def test_targets_are_of_one_dataset(path):
    with pytest.raises(ConfigError, match="each task has its own"):
        Study(path, tasks=TASKS, targets=[0, 1])


def test_a_run_of_which_a_task_fails_is_a_failed_run(path):
    study = Study(path, tasks=TASKS)
    with pytest.raises(TrainingFailed, match="task hard: RuntimeError: no such game"):
        study.run({"a": suites.failing}, seeds=2)
    assert {run.state for run in runs(path)} == {"failed"}
    assert not any(run.metrics for run in runs(path))


def test_a_task_that_diverges_does_so_in_that_task_alone(path):
    Study(path, tasks=TASKS).run({"a": suites.noisy, "b": suites.diverging}, seeds=4)
    lost = next(run for run in runs(path) if run.setup == "b")
    assert (lost.state, lost.not_finite) == ("finished", ("hard/acc",))
    (found,) = Study(path).compare_tasks()
    assert found.tasks["hard"].b.diverged == 1
    assert found.tasks["easy"].b.diverged == 0


def test_predictions_and_scores_leave_their_means_and_that_is_said_once(path):
    told = []
    study = Study(path, tasks={"easy": {"level": 0.8}, "hard": {"level": 0.3}})
    study.run({"a": suites.predicting}, seeds=2, watch=told.append)
    assert runs(path)[0].metrics == {"easy/accuracy": 0.8, "hard/accuracy": 0.3}
    notices = [each.text for each in told if type(each).__name__ == "Notice"]
    assert [text for text in notices if "are not kept" in text] == [
        "the predictions of tasks are not kept, but the metrics: those of examples belong to a "
        "study of one dataset"
    ]
    study.run({"s": suites.scoring}, seeds=1)
    assert runs(path)[-1].metrics == pytest.approx({"easy/reward": 2.3, "hard/reward": 1.8})


def test_predictions_of_a_task_need_its_targets(path):
    def bare(seed, *, level, noise=0.0):
        return {"predictions": np.eye(4)[[0, 1]]}

    with pytest.raises(TrainingFailed, match="task easy returned predictions without targets"):
        Study(path, tasks=TASKS).run({"a": bare}, seeds=1)


def test_whoever_watches_is_told_the_trainings_and_the_task_under_way(path):
    told, progress, titles = [], StudyProgress(), []

    def watch(event):
        told.append(event)
        progress.take(event, 0.0)
        titles.extend(run.at_task for run in progress.snapshot(0.0).runs)

    Study(path, tasks=TASKS).run(BOTH, seeds=1, watch=watch)
    planned = next(each for each in told if type(each).__name__ == "Planned")
    assert (planned.wanted, planned.tasks) == (2, ("easy", "hard"))
    assert list(dict.fromkeys(titles))[:2] == [
        ", easy (1 of 2)",
        ", hard (2 of 2)",
    ]
    done = progress.snapshot(0.0).setups["a"].metrics
    assert done["acc"].mean == pytest.approx(np.mean(list(runs(path)[0].metrics.values())))
    looked = [each.interim for each in told if type(each).__name__ == "Compared"]
    assert [(each.pairs, each.differences[0].metric) for each in looked] == [(1, "acc")]
    means = [np.mean(list(run.metrics.values())) for run in runs(path)]
    assert looked[0].differences[0].estimate == pytest.approx(means[1] - means[0])


def test_the_direction_of_a_metric_is_that_of_it_in_every_task(path):
    def train(seed, *, level, noise=0.0):
        return {"thing": level, "wer": level}

    found = Study(path, tasks=TASKS, better={"thing": "higher"}).run({"a": train}, seeds=1)
    assert found.directions == "lower is better: wer; higher is better: thing"


def test_a_repeat_of_a_run_is_one_on_all_tasks(path):
    study = Study(path, tasks=TASKS)
    setups = {"a": Setup(train="helpers.suites:noisy")}
    study.run(setups, seeds=1)
    found = Study(path).repeat("a", 0, train="helpers.suites:noisy")
    assert found.identical


def test_null_comparisons_of_a_suite_are_refused(path):
    Study(path, tasks=TASKS).run({"a": Setup(train="helpers.suites:noisy")}, seeds=1)
    with pytest.raises(ConfigError, match="is a suite, and null comparisons are of one task"):
        Study(path).null_comparisons("a", train="helpers.suites:noisy")


def test_parts_of_a_suite_are_merged_and_others_are_not(tmp_path):
    for name, seeds, tasks in (
        ("one", [0, 1], TASKS),
        ("two", [2, 3], TASKS),
        ("odd", [4], {"easy": {"level": 0.8}, "other": {"level": 0.1}}),
    ):
        study = Study(tmp_path / f"{name}.db", tasks=tasks)
        study.run(BOTH, seeds=seeds, planned=4 if name != "odd" else None)
    merge_studies([tmp_path / "one.db", tmp_path / "two.db"], tmp_path / "all.db")
    (found,) = Study(tmp_path / "all.db").compare_tasks()
    assert found.difference.n_a == 4
    assert found.standing.confirmatory
    with pytest.raises(Conflicts, match="tasks is"):
        merge_studies([tmp_path / "one.db", tmp_path / "odd.db"], tmp_path / "no.db")


def test_a_task_that_comes_later_makes_the_verdict_exploratory(path):
    Study(path, tasks=TASKS).run(BOTH, seeds=3)
    with Store.open(path) as store:
        store.fix_choice("task:late", True)
    (found,) = Study(path).compare_tasks()
    assert found.standing.reasons == ("task 'late' was added after runs were stored",)


class TestBuiltIn:
    """A task of the built-in training has a dataset and fields of the setup."""

    SMALL = Setup(model="xresnet10-narrow", size=16, epochs=1, batch_size=4, precision="float32")

    @pytest.fixture
    def data(self, tmp_path):
        for shift, name in enumerate(("nette", "woof")):
            layout = {f"train/{c}/{i}": 10 * i + n for n, c in enumerate("ab") for i in range(6)}
            layout |= {
                f"val/{c}/v{i}": 500 + 10 * i + n for n, c in enumerate("ab") for i in (0, 1)
            }
            folders(tmp_path / name, {file: shift + seed for file, seed in layout.items()})
        return tmp_path

    def test_datasets_and_epochs_are_trained_in_one_study(self, data, path):
        tasks = {
            "nette": {"dataset": str(data / "nette")},
            "woof-2": {"dataset": str(data / "woof"), "epochs": 2},
        }
        told = []
        study = Study(path, tasks=tasks, cache=data / "cache")
        study.run({"a": self.SMALL}, seeds=1, device="cpu", watch=told.append)
        (run,) = runs(path)
        done = [(each.task, each.record) for each in told if type(each).__name__ == "EpochDone"]
        assert [task for task, _ in done] == ["nette", "woof-2", "woof-2"]
        assert run.metrics == {
            "nette/accuracy": done[0][1].figures["accuracy"],
            "woof-2/accuracy": done[-1][1].figures["accuracy"],
        }
        with Store.open(path, readonly=True) as store:
            kept = store.choices("task:")
        assert kept["task:nette"]["fingerprint"] != kept["task:woof-2"]["fingerprint"]
        # Each task is what a study of it alone trains.
        alone = Study(data / "alone.db", dataset=str(data / "nette"), cache=data / "cache")
        found = alone.run({"a": self.SMALL}, seeds=1, device="cpu")
        assert found.setups[0].metrics["accuracy"].mean == run.metrics["nette/accuracy"]

    def test_other_images_under_the_name_of_a_task_are_refused(self, data, path):
        def tasks(name):
            return {"one": {"dataset": str(data / name)}, "two": {"epochs": 2}}

        study = {"dataset": str(data / "nette"), "cache": data / "cache"}
        Study(path, tasks=tasks("nette"), **study).run({"a": self.SMALL}, seeds=1, device="cpu")
        with pytest.raises(ConfigError, match=r"tasks\.one: .* holds other images"):
            Study(path, tasks=tasks("woof"), **study).run({"a": self.SMALL}, seeds=2)

    def test_fields_and_data_are_the_tasks(self):
        (task, _) = as_tasks({"long": {"epochs": 20, "dataset": "imagewoof"}, "short": {}})
        assert task.applied(self.SMALL).epochs == 20
        assert task.data == {"dataset": "imagewoof"}
        own = Setup(train="helpers.suites:noisy")
        assert task.applied(own) == own

    @pytest.mark.parametrize("key", ["epoch", "train", "code"])
    def test_no_other_key_is_taken(self, key):
        task = SuiteTask(name="odd", arguments=json.dumps({key: 3}))
        with pytest.raises(ConfigError, match=f"tasks.odd.{key}: unknown key"):
            task.applied(self.SMALL)


STUDY = """
seeds = 2
{more}
[setups.a]
{setup}
"""


@pytest.mark.parametrize(
    ("more", "setup", "said"),
    [
        ("tasks = 3", 'train = "helpers.suites:noisy"', r"tasks must be tables, \[tasks.NAME\]"),
        ("[tasks]\na = 3\nb = 4", 'train = "helpers.suites:noisy"', "tasks.a must be a table"),
        ("[tasks.a]\nx = 1979-05-27\n[tasks.b]", 'train = "m:f"', "tasks.a.x must be text"),
        ("[tasks.a]\nx = 1\n[tasks.b]", "epochs = 1\n", "tasks.a.x: unknown key 'x'"),
        ("[tasks.a]\nepochs = 0\n[tasks.b]", "", "tasks.a.epochs must be a whole number"),
        ('[tasks.a]\ndataset = "digits"\n[tasks.b]', "", "dataset is missing in tasks.b"),
        ('[tasks.a]\ndataset = "imagnet"\n[tasks.b]', "", "tasks.a.dataset: unknown dataset"),
        ("[tasks.a]\nsplit = 3\n[tasks.b]", "", "tasks.a.split must be a name"),
    ],
)
def test_tables_that_can_be_no_tasks_are_refused(tmp_path, more, setup, said):
    file = tmp_path / "study.toml"
    file.write_text(STUDY.format(more=more, setup=setup))
    with pytest.raises(ConfigError, match=f"study.toml: .*{said}"):
        load_study(file)


def test_the_places_of_data_start_from_the_file(tmp_path):
    (tmp_path / "mine").mkdir()
    file = tmp_path / "study.toml"
    file.write_text(
        'seeds = 2\n[setups.a]\n[tasks.a]\ndataset = "mine"\nepochs = 2\n'
        '[tasks.b]\ndataset = "digits"\nsource = "there"\n'
    )
    config = load_study(file)
    assert config.dataset is None
    assert config.tasks == {
        "a": {"dataset": str(tmp_path / "mine"), "epochs": 2},
        "b": {"dataset": "digits", "source": str(tmp_path / "there")},
    }
