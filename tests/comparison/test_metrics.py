"""What metric names mean for stored runs; functions of the user's own."""

import sys

import numpy as np
import pytest

from helpers.studies import TARGETS, measured, runs_of
from seedwise import stats
from seedwise.comparison import Rule, compare
from seedwise.comparison.metrics import find_metric
from seedwise.comparison.scores import keep_metric_values, metric_values
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, UnknownName, Unsettled

OWN = """
import numpy as np

def share(logits, targets):
    assert logits.dtype == np.float32 and logits.shape == (2, 300, 5)
    return (logits.argmax(axis=-1) == targets).mean()

def broken(logits, targets):
    raise RuntimeError("no idea")

def text(logits, targets):
    return "good"

def infinite(logits, targets):
    return float("inf")

number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user's; gives its file."""
    file = tmp_path / "my_metrics.py"
    file.write_text(OWN)
    (tmp_path / "my_faults.py").write_text("raise ValueError('no idea')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "my_metrics", raising=False)
    return file


def test_a_function_of_ones_own_decides(studies, own):
    a, b = runs_of(1.0), runs_of(1.3)
    with studies.make({"a": a, "b": b}) as store:
        with pytest.raises(Unsettled, match="lower or higher my_metrics:share is better"):
            compare(StudyRuns(store), "a", "b", Rule(metric="my_metrics:share"), code=True)
        found = compare(
            StudyRuns(store),
            "a",
            "b",
            Rule(metric="my_metrics:share", better={"": "higher"}),
            code=True,
        )
        lower = compare(
            StudyRuns(store), "a", "b", Rule(metric="my_metrics:share:better=lower"), code=True
        )
    assert (found.outcome, lower.outcome) == ("better", "worse")
    assert found.verdict.decided_by == "my_metrics:share"
    np.testing.assert_allclose(
        found.deciding.values_a, (a.argmax(axis=-1) == TARGETS).mean(axis=(1, 2))
    )


def test_values_of_ones_own_function_are_kept_until_its_file_changes(studies, own, monkeypatch):
    with studies.make({"a": runs_of(1.0, 3)}) as store:
        first = own_values(store, "my_metrics:share")
        assert own_values(store, "my_metrics:share") == first
        monkeypatch.delitem(__import__("sys").modules, "my_metrics")
        own.write_text(OWN.replace(".mean()", ".mean() / 2"))
        changed = own_values(store, "my_metrics:share")
    assert [changed[run] for run in first] == [value / 2 for value in first.values()]


def own_values(store, metric):
    """The values of a function that the call names."""
    runs = store.runs()
    return metric_values(StudyRuns(store), find_metric(metric, runs, code=True), runs)


def test_a_function_is_not_loaded_because_a_text_names_it(studies, own):
    """Names of metrics come from study files too: from the plan, and from what runs returned."""
    with studies.make({"a": runs_of(1.0, 3), "b": runs_of(1.0, 3)}) as store:
        with pytest.raises(ConfigError, match="give --metric my_metrics:share to run it, or"):
            metric_values(StudyRuns(store), "my_metrics:share", store.runs())
        with pytest.raises(ConfigError, match="never runs code because a file names it"):
            compare(StudyRuns(store), "a", "b", Rule(metric="my_metrics:share"))
    assert "my_metrics" not in sys.modules


def test_a_module_in_this_folder_is_found_and_hides_nothing_that_is_installed(
    studies, own, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise RuntimeError\n")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "inner.py").write_text(OWN)
    before = list(sys.path)
    with studies.make({"a": runs_of(1.0, 3)}) as store:
        assert own_values(store, "pack.inner:share") == own_values(store, "my_metrics:share")
        with pytest.raises(ConfigError, match="module 'json' has no 'share'"):
            own_values(store, "json:share")
    assert sys.path == before
    for name in ("pack", "pack.inner"):
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("my_metrics:broken", "fails on the run of 'a' with seed 0: RuntimeError: no idea"),
        ("my_metrics:text", "must return one number, got 'good'"),
        ("my_metrics:infinite", "it must be finite"),
        ("my_metrics:number", "is not a function but 3"),
        ("my_metrics:absent", "module 'my_metrics' has no 'absent'"),
        ("absent_module:share", "no module 'absent_module'; put it into this folder, or on PYTH"),
        ("my_faults:share", "cannot be loaded: ValueError: no idea"),
    ],
)
def test_a_function_that_cannot_be_used_is_said(studies, own, metric, message):
    with (
        studies.make({"a": runs_of(1.0, 2)}) as store,
        pytest.raises(ConfigError, match=message),
    ):
        own_values(store, metric)


def test_what_verdicts_ask_for_is_kept_in_the_study(studies):
    with studies.make({"a": runs_of(1.0, 3)}) as store:
        keep_metric_values(StudyRuns(store))
        ids = [run.id for run in store.runs()]
        kept = store.metric_values("matched_accuracy", ids)
    wanted = stats.matched_accuracy(runs_of(1.0, 3), TARGETS)
    assert [kept[run] for run in ids] == wanted.tolist()


def test_predictions_are_needed_for_what_is_computed_from_them(studies):
    with studies.make({"a": [measured(accuracy=0.5), measured(accuracy=0.6)]}) as store:
        runs = store.runs()
        assert list(metric_values(StudyRuns(store), "accuracy", runs).values()) == [0.5, 0.6]
        with pytest.raises(ConfigError, match="needs the predictions of every run"):
            metric_values(StudyRuns(store), "smoothed_accuracy:beta=3", runs)
        with pytest.raises(UnknownName, match="unknown metric 'brier'"):
            metric_values(StudyRuns(store), "brier", runs)


def test_a_metric_that_only_some_runs_have_is_of_these(studies):
    with studies.make({"a": [measured(f1=0.5), measured(loss=0.6)]}) as store:
        assert metric_values(StudyRuns(store), "f1", store.runs()) == {1: 0.5}
