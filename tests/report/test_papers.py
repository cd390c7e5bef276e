import re

import numpy as np
import pytest
from scipy import stats

from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import DataError, UnknownName
from seedwise.report import paper_table, table_rows
from seedwise.store import Store
from seedwise.study import record


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "study.db"
    for seed, accuracy in enumerate((0.91, 0.92, 0.94)):
        record(path, setup="a_b & <c>", seed=seed, metrics={"accuracy": accuracy, "f1|x": 0.5})
    record(path, setup="b", seed=0, metrics={"accuracy": 0.95})
    with Store.open(path, readonly=True) as store:
        yield store


def test_figures_agree_with_scipy(store):
    values = np.array([0.91, 0.92, 0.94])
    cell = table_rows(StudyRuns(store), ["accuracy"], confidence=0.9)[0].cells["accuracy"]
    want = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (cell.low, cell.high) == pytest.approx((want.low, want.high))
    assert (cell.sample.mean, cell.sample.sd) == pytest.approx((values.mean(), values.std(ddof=1)))


def test_markdown_has_a_row_for_each_setup_and_a_column_for_each_metric(store):
    text = paper_table(
        table_rows(StudyRuns(store), [], confidence=0.95), form="markdown", confidence=0.95
    )
    lines = text.splitlines()
    assert lines[0] == r"| setup | runs | accuracy (%) | f1\|x |"
    assert lines[2] == (r"| a\_b & \<c\> | 3 | 92.3 ± 1.5 [88.5, 96.1] | 0.5 ± 0 [0.5, 0.5] |")
    assert lines[3] == "| b | 1 | 95.0 | - |"
    assert "ddof 1" in lines[-1]
    assert "95 % interval" in lines[-1]
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in lines[:4]]
    assert cells == [5] * 4


def test_latex_is_a_booktabs_table_with_all_text_escaped(store):
    text = paper_table(
        table_rows(StudyRuns(store), [], confidence=0.95), form="latex", confidence=0.95
    )
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    assert lines[0] == r"\begin{tabular}{lrrr}"
    assert lines[2] == r"setup & runs & accuracy (\%) & f1\textbar{}x \\"
    assert lines[4].startswith(
        r"a\_b \& \textless{}c\textgreater{} & 3 & 92.3 $\pm$ 1.5 [88.5, 96.1]"
    )
    assert lines[-1] == r"\end{tabular}"
    assert text.isascii()


def test_every_character_that_means_something_to_latex_is_escaped(tmp_path):
    path = tmp_path / "study.db"
    record(path, setup="\\ ^ ~ { } $ & # % _", seed=0, metrics={"loss": 1.0})
    with Store.open(path, readonly=True) as store:
        text = paper_table(
            table_rows(StudyRuns(store), [], confidence=0.95), form="latex", confidence=0.95
        )
    assert (
        r"\textbackslash{} \textasciicircum{} \textasciitilde{} \{ \} \$ \& \# \% \_ & 1" in text
    )


def test_diverged_runs_are_counted_in_the_table(store, tmp_path):
    record(tmp_path / "study.db", setup="b", seed=1, metrics={"accuracy": float("nan")})
    text = paper_table(
        table_rows(StudyRuns(store), [], confidence=0.95), form="markdown", confidence=0.95
    )
    assert "| setup | runs | diverged | accuracy (%) |" in text
    assert "| b | 1 | 1 | 95.0 |" in text


def test_what_is_not_there_is_said(store, tmp_path):
    with pytest.raises(UnknownName, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        table_rows(StudyRuns(store), ["acuracy"], confidence=0.95)
    with pytest.raises(DataError, match="confidence"):
        table_rows(StudyRuns(store), [], confidence=1.0)
    with (
        Store.open(tmp_path / "empty.db", create=True) as empty,
        pytest.raises(DataError, match="no finished run"),
    ):
        table_rows(StudyRuns(empty), [], confidence=0.95)
