"""Baseline runs that another study made: used as they are, or refused."""

import pytest
from click.testing import CliRunner

from helpers import trainings
from helpers.store_records import dataset
from seedwise.cli import cli
from seedwise.comparison import Stop
from seedwise.crops import as_crops, view_names
from seedwise.errors import ConfigError, StudyError
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store, merge_studies
from seedwise.study import Study
from seedwise.study.banking import _check_data

CANDIDATE = {"plain": trainings.plain, "better": trainings.better}


@pytest.fixture
def bank(tmp_path):
    """A study with four runs of `trainings.plain`, under another name."""
    Study(tmp_path / "bank.db").run({"base": trainings.plain}, seeds=4)
    return tmp_path / "bank.db"


def runs(path):
    with Store.open(path, readonly=True) as store:
        return {(run.setup, int(run.seed)): run for run in store.runs()}


def logits(path, run):
    with Store.open(path, readonly=True) as store:
        return store.logits([run.id])[0]


def test_runs_of_the_bank_are_used_and_the_others_are_made(tmp_path, bank):
    content = bank.read_bytes()
    Study(tmp_path / "new.db", bank=bank).run(CANDIDATE, seeds=6)
    assert bank.read_bytes() == content
    there, found = runs(bank), runs(tmp_path / "new.db")
    assert set(found) == {(name, seed) for name in CANDIDATE for seed in range(6)}
    taken = {key for key, run in found.items() if run.made_by.get("bank") == "bank.db"}
    assert taken == {("plain", seed) for seed in range(4)}
    for seed in range(4):
        old, new = there["base", seed], found["plain", seed]
        assert (logits(bank, old) == logits(tmp_path / "new.db", new)).all()
        assert (new.ended_at, new.seconds) == (old.ended_at, old.seconds)


def test_what_is_said_keeps_them_apart(tmp_path, bank):
    study = Study(tmp_path / "new.db", bank=bank)
    study.run(CANDIDATE, seeds=6)
    found = study.compare("plain", "better")
    assert found.standing.confirmatory  # the bank was named before the first run
    assert dict(found.a.banked) == {"bank.db": 4}
    assert "4 of 6 runs of plain come from the bank bank.db" in " ".join(found.view.cautions)
    said = CliRunner().invoke(cli, ["status", str(tmp_path / "new.db")]).output
    assert "plain: 4 results taken from the bank bank.db" in said


def test_a_stopping_rule_makes_the_candidates_runs_only(tmp_path, bank):
    study = Study(tmp_path / "new.db", bank=bank)
    study.run(CANDIDATE, until=Stop(difference=0.02, max_runs=4))
    found = runs(tmp_path / "new.db")
    assert all("bank" in run.made_by for (name, _), run in found.items() if name == "plain")
    assert study.decisions()["better"].n >= 2


def test_scores_groups_and_curves_come_along(tmp_path):
    def base(seed):
        seed.log(epoch=1, f1=0.5)
        f1 = [0.1 * int(seed), 0.5, 0.7]
        return {"scores": {"f1": f1}, "examples": ["x", "y", "z"], "groups": ["p", "p", "q"]}

    def other(seed):
        return {"scores": {"f1": [0.2, 0.4, 0.6]}, "examples": ["z", "y", "x"]}

    Study(tmp_path / "bank.db").run({"base": base}, seeds=3)
    study = Study(tmp_path / "new.db", bank=tmp_path / "bank.db")
    study.run({"base": base, "other": other}, seeds=3)
    found = runs(tmp_path / "new.db")
    assert "bank" in found["base", 2].made_by
    assert found["base", 2].epochs[0].figures == {"f1": 0.5}
    with Store.open(tmp_path / "new.db", readonly=True) as store:
        assert store.scores("f1", [found["base", 2].id])[0].tolist() == pytest.approx(
            [0.2, 0.5, 0.7]
        )
        assert store.examples().groups == ("p", "p", "q")
        assert store.scores("f1", [found["other", 2].id])[0].tolist() == pytest.approx(
            [0.6, 0.4, 0.2]
        )


def test_another_code_is_no_bank(tmp_path, bank):
    with pytest.raises(StudyError, match="has no setup like 'other'"):
        Study(tmp_path / "new.db", bank=bank).run(
            {"other": trainings.better, "plain": trainings.plain}, seeds=2
        )
    with pytest.raises(StudyError, match=r"'base' of .*bank\.db is another one: its code"):
        Study(tmp_path / "two.db", bank=bank).run({"base": trainings.better}, seeds=2)
    assert not runs(tmp_path / "new.db")


def test_runs_of_changed_code_that_was_taken_for_the_same_are_no_bank(tmp_path, bank):
    Study(bank).run({"base": trainings.better}, seeds=6, code_unchanged=True)
    for name, function in (("plain.db", trainings.plain), ("better.db", trainings.better)):
        with pytest.raises(StudyError, match="is another one: its code"):
            Study(tmp_path / name, bank=bank).run({"base": function}, seeds=6)


def test_other_examples_are_no_bank(tmp_path, bank):
    study = Study(tmp_path / "new.db", bank=bank, targets=trainings.TARGETS[::-1])
    with pytest.raises(StudyError, match="are of other examples"):
        study.run(CANDIDATE, seeds=2)


@pytest.mark.parametrize("changed", ["fingerprint", "split"])
def test_other_images_in_a_task_are_no_bank(tmp_path, changed):
    tasks = {"easy": {"source": "a"}, "hard": {"source": "b"}}
    data = {"dataset": "folder", "fingerprint": "1234", "split": {"kind": "shipped"}}
    with (
        Store.open(tmp_path / "new.db", create=True) as new,
        Store.open(tmp_path / "bank.db", create=True) as bank,
    ):
        for store in (new, bank):
            plan = {"setups": ["a"], "seeds": ["0"], "rule": {}, "stop": None, "tasks": tasks}
            store.fix_choice("plan", plan)
            store.fix_choice("task:easy", data)
        new.fix_choice("task:hard", data)
        bank.fix_choice("task:hard", data | {changed: "another", "dataset": "moved"})
        with pytest.raises(StudyError, match="of other images in the task hard"):
            _check_data(new, bank)


def test_other_versions_are_no_bank(tmp_path, bank, monkeypatch):
    monkeypatch.setattr("seedwise.study.banking.version", lambda package: "99.1")
    with pytest.raises(StudyError, match=r"was made by seedwise .*, and here is 99\.1"):
        Study(tmp_path / "new.db", bank=bank).run(CANDIDATE, seeds=2)


def test_a_bank_that_is_refused_leaves_no_trace(tmp_path, bank, monkeypatch):
    study = Study(tmp_path / "new.db", bank=bank)
    monkeypatch.setattr("seedwise.study.banking.version", lambda package: "99.1")
    with pytest.raises(StudyError, match="was made by"):
        study.run({"plain": trainings.plain}, seeds=2)
    with Store.open(tmp_path / "new.db", readonly=True) as store:
        assert store.dataset() is None
        assert store.choice("bank") is None


def test_runs_that_were_dropped_are_no_bank(tmp_path, bank):
    Study(bank).drop("base")
    with pytest.raises(StudyError, match="has no setup like 'plain'"):
        Study(tmp_path / "new.db", bank=bank).run(CANDIDATE, seeds=2)


def test_a_bank_is_named_before_the_first_run(tmp_path, bank):
    Study(tmp_path / "new.db").run(CANDIDATE, seeds=2)
    with pytest.raises(StudyError, match="begun without a bank"):
        Study(tmp_path / "new.db", bank=bank).run(CANDIDATE, seeds=4)


def test_the_same_bank_again_gives_what_is_new_in_it(tmp_path, bank):
    study = Study(tmp_path / "new.db", bank=bank)
    study.run(CANDIDATE, seeds=4)
    Study(bank).run({"base": trainings.plain}, seeds=6)
    study.run(CANDIDATE, seeds=6)
    assert "bank" in runs(tmp_path / "new.db")["plain", 5].made_by
    other = tmp_path / "other.db"
    Study(other).run({"base": trainings.plain}, seeds=2)
    with pytest.raises(StudyError, match=r"begun with the bank bank\.db"):
        Study(tmp_path / "new.db", bank=other).run(CANDIDATE, seeds=8)


@pytest.mark.parametrize(
    ("name", "message"), [("none.db", "does not exist"), ("new.db", "is the study itself")]
)
def test_a_bank_that_is_none_is_refused(tmp_path, name, message):
    if name == "new.db":
        Study(tmp_path / "new.db").run({"plain": trainings.plain}, seeds=1)
    with pytest.raises(ConfigError, match=message):
        Study(tmp_path / "new.db", bank=tmp_path / name).run(CANDIDATE, seeds=2)


def test_imported_results_are_no_bank(tmp_path):
    with Store.open(tmp_path / "bank.db", create=True) as store:
        store.add_setup("plain", Setup(train="elsewhere"))
    with pytest.raises(StudyError, match="train is"):
        Study(tmp_path / "new.db", bank=tmp_path / "bank.db").run(CANDIDATE, seeds=2)


def test_parts_that_used_one_bank_are_merged_and_stay_confirmatory(tmp_path, bank):
    for name, seeds in (("a.db", [0, 1, 2]), ("b.db", [3, 4, 5])):
        part = Study(tmp_path / name, bank=bank)
        part.run(CANDIDATE, seeds=seeds, planned=6)
    merge_studies([tmp_path / "a.db", tmp_path / "b.db"], tmp_path / "whole.db")
    found = Study(tmp_path / "whole.db").compare("plain", "better")
    assert (found.a.finished, dict(found.a.banked)) == (6, {"bank.db": 4})
    assert found.standing.confirmatory


def test_study_toml_names_a_bank(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(
        'seeds = 3\nbank = "old.db"\n[setups.a]\ntrain = "helpers.trainings:plain"\n'
        '[setups.b]\ntrain = "helpers.trainings:better"\n'
    )
    Study(tmp_path / "old.db").run({"a": Setup(train="helpers.trainings:plain")}, seeds=2)
    done = CliRunner().invoke(cli, ["run", "study.toml"])
    assert done.exit_code == 0, done.output
    assert "2 runs of a taken from the bank old.db" in done.output
    assert {seed for (name, seed), run in runs("study.db").items() if "bank" in run.made_by} == {
        0,
        1,
    }
    assert Seed.of(2) in {run.seed for run in runs("study.db").values()}


def test_runs_of_other_views_are_no_bank(tmp_path):
    with (
        Store.open(tmp_path / "two.db", create=True) as two,
        Store.open(tmp_path / "ten.db", create=True) as ten,
    ):
        two.set_dataset(dataset())
        ten.set_dataset(dataset(views=view_names(as_crops(10))))
        with pytest.raises(StudyError, match="have 10 views of each image, and here there are 2"):
            _check_data(two, ten)
        with pytest.raises(StudyError, match="have 2 views of each image, and here there are 10"):
            _check_data(ten, two)
