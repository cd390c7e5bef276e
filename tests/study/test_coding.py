"""Runs of different code are never mixed in silence."""

import importlib
import linecache
import sys

import pytest
from click.testing import CliRunner

from helpers.study_files import change
from seedwise.cli import cli
from seedwise.code.git import Commit
from seedwise.errors import CodeChanged, StudyError, UnknownName
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Conflicts, Store, merge_studies
from seedwise.study import Study, coding

TRAINING = """
import rates

OPT = "adam"


def relu(seed):
    if OPT == "fail":
        raise RuntimeError("a bug")
    return {"accuracy": 0.8 + rates.LR + int(seed) / 1000}


def mish(seed):
    return {"accuracy": 0.7 + int(seed) ** 2 / 1000}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes `training.py` and `rates.py`, and loads them anew: as another process would."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def project(training=TRAINING, rates="LR = 0.01\n"):
        (tmp_path / "training.py").write_text(training)
        (tmp_path / "rates.py").write_text(rates)
        for name in ("training", "rates"):
            sys.modules.pop(name, None)
        linecache.clearcache()
        importlib.invalidate_caches()
        return importlib.import_module("training")

    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    yield project
    sys.dont_write_bytecode = before
    for name in ("training", "rates"):
        sys.modules.pop(name, None)


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path / "s.db")


def finished(study):
    return {each.name: each.finished for each in study.summary().setups}


@pytest.mark.parametrize("how", ["function", "name"])
@pytest.mark.parametrize(
    ("training", "rates", "said"),
    [
        (TRAINING.replace("adam", "sgd"), "LR = 0.01\n", '-OPT = "adam"\n    +OPT = "sgd"'),
        (TRAINING.replace("0.8", "0.9"), "LR = 0.01\n", "training.relu"),
        (TRAINING, "LR = 0.02\n", "rates.py\n    -LR = 0.01\n    +LR = 0.02"),
    ],
)
def test_runs_of_other_code_are_refused_before_anything_is_trained(
    project, study, how, training, rates, said
):
    def setups(module):
        return {"a": module.relu if how == "function" else Setup(train="training:relu")}

    study.run(setups(project()), seeds=3)
    with pytest.raises(CodeChanged) as caught:
        study.run(setups(project(training, rates)), seeds=5)
    text = str(caught.value)
    assert said in text
    assert "the code of a changed since the stored runs (seeds 0-2):" in text
    assert "--code-unchanged (code_unchanged=True in Python)" in text
    assert f"seedwise drop {study.path} a" in text
    assert finished(study) == {"a": 3}
    study.run(setups(project()), seeds=4)
    assert finished(study) == {"a": 4}


def test_the_command_line_shows_what_changed_and_takes_the_word_of_whoever_knows(
    project, tmp_path
):
    (tmp_path / "s.toml").write_text('seeds = 2\n[setups.a]\ntrain = "training:relu"\n')
    project()
    assert CliRunner().invoke(cli, ["run", "s.toml"]).exit_code == 0
    project(TRAINING.replace("adam", "sgd"))
    refused = CliRunner().invoke(cli, ["run", "s.toml", "--seeds", "4"])
    assert refused.exit_code == 2
    assert '\n    -OPT = "adam"\n    +OPT = "sgd"\n' in refused.stderr
    taken = CliRunner().invoke(cli, ["run", "s.toml", "--seeds", "4", "--code-unchanged"])
    assert taken.exit_code == 0
    assert finished(Study("s.db")) == {"a": 4}
    for text in (TRAINING, TRAINING.replace("adam", "sgd")):  # both are the setup's code now
        project(text)
        assert CliRunner().invoke(cli, ["run", "s.toml", "--seeds", "4"]).exit_code == 0


def test_comments_layout_and_docstrings_need_no_word(project, study):
    study.run({"a": project().relu}, seeds=1)
    other = TRAINING.replace("def relu(seed):", 'def relu(seed):  # fast\n    """Relu."""\n')
    study.run({"a": project(other, '"""Rates."""\nLR  =  0.01').relu}, seeds=2)
    assert finished(study) == {"a": 2}


def test_a_function_of_another_name_is_a_rename_where_that_is_said(project, study):
    study.run({"a": project().relu}, seeds=1)
    renamed = TRAINING.replace("def relu", "def fast")
    with pytest.raises(CodeChanged, match="training:relu, now training:fast"):
        study.run({"a": project(renamed).fast}, seeds=2)
    study.run({"a": project(renamed).fast}, seeds=2, code_unchanged=True)
    study.run({"a": project(renamed).fast}, seeds=3)
    assert finished(study) == {"a": 3}


def test_a_bug_may_be_mended_while_there_is_no_result(project, study):
    with pytest.warns(UserWarning, match="a bug"):
        study.run({"a": project(TRAINING.replace("adam", "fail")).relu}, seeds=1)
    study.run({"a": project().relu}, seeds=1)
    assert finished(study) == {"a": 1}


def test_a_value_that_runs_change_is_no_change_of_the_code(project, study):
    text = (
        "SEEN = []\n\n\ndef keep(to, seed):\n    to.append(int(seed))\n\n\n"
        "def relu(seed):\n    keep(SEEN, seed)\n    return len(SEEN) / 100\n"
    )
    module = project(text)
    study.run({"a": module.relu}, seeds=2)
    study.run({"a": module.relu}, seeds=4)
    study.run({"a": project(text).relu}, seeds=5)
    assert finished(study) == {"a": 5}
    with pytest.raises(CodeChanged, match=r"len\(SEEN\) / 10\n"):
        study.run({"a": project(text.replace("/ 100", "/ 10")).relu}, seeds=6)


def test_runs_of_an_earlier_seedwise_are_gone_on_with_and_held_to_todays_code(project, study):
    module = project()
    with Store.open(study.path, create=True) as store:
        store.add_setup("a", Setup(train="training:relu", code="0123456789ab"))
    told = []
    study.run({"a": module.relu}, seeds=1, watch=told.append)
    change(study.path, "DELETE FROM run_codes", "DELETE FROM codes")
    study.run({"a": module.relu}, seeds=2, watch=told.append)
    assert any("an earlier seedwise made its runs" in getattr(e, "text", "") for e in told)
    with pytest.raises(CodeChanged):
        study.run({"a": project(TRAINING.replace("0.8", "0.9")).relu}, seeds=3)
    assert finished(study) == {"a": 2}


def test_other_choices_under_one_name_are_refused_as_ever(study):
    with Store.open(study.path, create=True) as store:
        store.add_setup("a", Setup())
    with pytest.raises(StudyError, match=r"setup 'a' is another in .*give the new one another"):
        study.run({"a": lambda seed: 1.0}, seeds=1)


def test_a_dropped_setup_is_set_aside_and_its_name_is_free(project, study):
    module = project()
    study.run({"a": module.relu, "b": module.mish}, seeds=4)
    assert study.compare("a", "b").standing.confirmatory
    assert study.drop("a") == "a~1"
    assert finished(study) == {"b": 4}
    module = project(TRAINING.replace("0.8", "0.9"))
    study.run({"a": module.relu, "b": module.mish}, seeds=4)
    assert finished(study) == {"a": 4, "b": 4}
    between = study.compare("a~1", "a").contrasts["accuracy"].difference.estimate
    assert between == pytest.approx(0.1)
    again = study.compare("a", "b").standing
    assert not again.confirmatory
    assert "'a' was dropped on" in again.reasons[0]
    with pytest.raises(StudyError, match="dropped already"):
        study.drop("a~1")
    with pytest.raises(UnknownName):
        study.drop("c")
    status = CliRunner().invoke(cli, ["status", str(study.path)]).stdout
    assert "4 results kept as a~1" in status
    assert study.drop("a") == "a~2"


def test_a_repeat_by_other_code_is_refused(project, study):
    project()
    study.run({"a": Setup(train="training:relu")}, seeds=2)
    assert study.repeat("a", 1, train="training:relu")
    project(TRAINING.replace("0.8", "0.9"))
    with pytest.raises(CodeChanged, match=r"training\.relu\n(.*\n)+Nothing was trained: a repeat"):
        study.repeat("a", 1, train="training:relu")


def test_drop_is_a_command(project, study):
    study.run({"a": project().relu}, seeds=3)
    done = CliRunner().invoke(cli, ["drop", str(study.path), "a"])
    assert done.output == "a: set aside as a~1 (3 results); the name a is free\n"
    assert CliRunner().invoke(cli, ["drop", str(study.path), "a"]).exit_code == 2


def test_one_setup_is_compared_over_commits(project, study, monkeypatch):
    def at(commit, *, dirty=False):
        made = Commit(id=commit * 20, dirty=dirty)
        monkeypatch.setattr(coding, "commit_of", lambda place: made)

    at("ab")
    study.run({"a": project().relu}, seeds=4)
    study.drop("a")
    at("cd")
    study.run({"a": project(TRAINING.replace("0.8", "0.9")).relu}, seeds=4)
    at("cd", dirty=True)
    study.run({"a": project(TRAINING.replace("0.8", "0.9")).relu}, seeds=6)
    found = study.compare("a@abab", "a@cdcdcd")
    assert found.contrasts["accuracy"].difference.estimate == pytest.approx(0.1)
    assert found.standing.reasons[0].startswith("'a@abab' is a part of a setup's runs")
    with Store.open(study.path, readonly=True) as store:
        assert [store.commits()[run.id].dirty for run in store.runs("a")] == [False] * 4 + [
            True
        ] * 2
    with pytest.raises(UnknownName, match="a@abababa, a@cdcdcdc, a@cdcdcdc-dirty"):
        study.compare("a@abab", "a@9999")
    command = ["compare", str(study.path), "a@abab", "a@cdcdcd-dirty"]
    assert CliRunner().invoke(cli, command).exit_code == 0
    status = CliRunner().invoke(cli, ["status", str(study.path)]).stdout
    assert "a was made at commits cdcdcdc (4 results), cdcdcdc-dirty (2 results)" in status
    page = study.report(study.path.with_name("r.html"), setups=["a@abab", "a@cdcdcd"]).read_text()
    assert "a@abab, whole" in page.replace("<bdi>", "").replace("</bdi>", "")
    forest = study.chart("forest", "a@abab", "a@cdcdcd").table.rows
    assert [row[:2] for row in forest] == [("a@cdcdcd", "accuracy")]
    dots = {row[:2] for row in study.chart("runs", "a~1", "a@cdcdcd").table.rows}
    assert dots == {(name, str(seed)) for name in ("a~1", "a@cdcdcd") for seed in range(4)}
    assert [each.name for each in study.variance("a@cdcdcd").metrics] == ["accuracy"]
    with pytest.raises(UnknownName, match="a@abababa, a@cdcdcdc, a@cdcdcdc-dirty"):
        study.chart("runs", "a@9999")


def test_parts_of_a_study_that_other_code_made_are_not_put_together(project, tmp_path):
    parts = [tmp_path / "1.db", tmp_path / "2.db", tmp_path / "3.db"]
    texts = (
        TRAINING,
        TRAINING.replace('"adam"', '"adam"  # as ever'),
        TRAINING.replace("0.8", "0.9"),
    )
    for seed, (path, text) in enumerate(zip(parts, texts, strict=True)):
        Study(path).run({"a": project(text).relu}, seeds=[seed], planned=3)
    merge_studies(parts[:2], tmp_path / "both.db")
    with Store.open(tmp_path / "both.db", readonly=True) as store:
        assert [run.seed for run in store.runs()] == [Seed.of(0), Seed.of(1)]
        assert len(store.codes("a")) == 2
    with pytest.raises(
        Conflicts, match=r"3\.db: setup 'a' was made by other code .*training\.relu"
    ):
        merge_studies(parts, tmp_path / "all.db")
