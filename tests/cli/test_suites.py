"""A suite of tasks as a person has it: imported, compared, reported."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import seedwise
from helpers.studies import DIVERGED, Studies, finished, runs_of
from seedwise.cli import cli


def call(*words, columns=80, code=0):
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(cli, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def text(printed):
    return " ".join(printed.split())


def log(path, tasks=3, *, metric="acc", gains=(0.02, 0.0)):
    """Long rows of three setups; the second is better, the third is not."""
    rng = np.random.default_rng(8)
    lines = [f"setup,benchmark,seed,{metric}"]
    for task in range(tasks):
        for seed in range(4 + task % 3):
            shared = 0.7 + task / 50 + 0.01 * rng.normal()
            for name, gain in zip("abc", (0.0, *gains), strict=True):
                value = shared + gain + 0.003 * rng.normal()
                lines.append(f"{name},task-{task},{seed},{value:.5f}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.db"
    call("import", log(tmp_path / "log.csv"), path, "--task", "benchmark")
    return path


def test_imported_tasks_are_a_suite_at_once(study):
    said = call("compare", study, "a", "b")
    assert text(said).startswith("b is better than a over 3 tasks: the mean acc is 0.017")
    assert "b wins in 3 of 3 tasks and loses in 0" in text(said)
    assert [line.split()[0] for line in said.splitlines() if line.startswith("task-")] == [
        "task-0",
        "task-1",
        "task-2",
    ]
    assert max(map(len, said.splitlines())) <= 80


def test_a_later_import_adds_tasks(study, tmp_path):
    more = log(tmp_path / "more.csv", 5).read_text().splitlines()
    kept = [more[0], *(line for line in more if ",task-4," in line)]
    (tmp_path / "more.csv").write_text("\n".join(line.replace(",0,", ",9,") for line in kept))
    text_ = (tmp_path / "more.csv").read_text()
    rows = [line.split(",") for line in text_.splitlines()[1:]]
    shifted = [",".join((name, task, str(int(seed) + 50), x)) for name, task, seed, x in rows]
    (tmp_path / "more.csv").write_text("\n".join((more[0], *shifted)))
    call("import", tmp_path / "more.csv", study, "--task", "benchmark")
    assert "over 4 tasks" in text(call("compare", study, "a", "b"))


def test_one_task_is_compared_by_its_name(study):
    said = text(call("compare", study, "a", "b", "--metric", "task-1/acc"))
    assert said.startswith("b is better than a: task-1/acc is ")


def test_several_setups_have_their_verdicts_first(study):
    said = call("compare", study, "--margin", "0.01")
    assert "b is better than a over 3 tasks" in text(said)
    assert "c and a are equivalent over 3 tasks" in text(said)
    full = text(call("compare", study, "--full"))
    assert "Each task counts the same, whatever its number of runs: 4 to 6 pairs." in full
    assert "corrected over 6 comparisons (Holm)" in full


@pytest.mark.parametrize(
    ("setups", "gate", "code"),
    [("ab", "worse", 0), ("ba", "worse", 1), ("ac", "not-better", 1), ("ab", "not-better", 0)],
)
def test_the_verdict_over_tasks_is_gated(study, setups, gate, code):
    call("compare", study, *setups, "--fail-if", gate, code=code)


def test_what_is_not_shown_over_tasks_fails_where_that_is_asked(study):
    call("compare", study, "a", "b", "--margin", "0.01", "--fail-if", "not-shown")
    call("compare", study, "b", "a", "--margin", "0.01", "--fail-if", "not-shown", code=1)
    call("compare", study, "a", "b", "--fail-if", "not-shown", code=2)
    said = call("compare", study, "a", "b", "--cost", "seconds", code=2)
    assert "--cost is for setups compared on one metric, without tasks" in said


def test_json_and_markdown_say_the_same(study, tmp_path):
    said = json.loads(call("compare", study, "a", "b", "--json", "--markdown", tmp_path / "b.md"))
    assert said["outcome"] == "better"
    block = (tmp_path / "b.md").read_text()
    assert block.startswith(f"**{said['sentence']}**".replace("_", "\\_"))
    assert "| task-1 | 5 |" in block


@pytest.mark.parametrize("over", ["iqm", "mean"])
def test_the_way_over_tasks_is_an_option(study, over):
    said = text(call("compare", study, "a", "b", "--over", over))
    assert ("the interquartile mean of acc" if over == "iqm" else "the mean acc") in said


def test_standardised_differences_need_runs(study):
    said = call("compare", study, "a", "b", "--over", "standardised", code=2)
    assert "a standardised difference takes 5 runs" in said


def test_over_is_refused_where_there_are_no_tasks(study):
    said = call("compare", study, "a", "b", "--metric", "task-1/acc", "--over", "iqm", code=2)
    assert "--over combines tasks" in said


def test_the_report_shows_the_suite(study, tmp_path):
    call("report", study)
    page = study.with_suffix(".html").read_text()
    for words in (
        "b is better than a over 3 tasks",
        "Difference from a, task by task",
        "Performance profiles",
        "Every task",
        *(f"Every run: task-{task}/acc" for task in range(3)),
    ):
        assert words in page
    chart = seedwise.Study(study).chart("tasks", "a", "b")
    assert [row[1] for row in chart.table.rows] == ["task-0", "task-1", "task-2", "all tasks"]
    profile = seedwise.Study(study).chart("profile")
    assert [row[0] for row in profile.table.rows] == ["a", "b", "c"]
    assert profile.table.rows[0][-1] == "0 %"  # nothing is above the best score
    call("plot", study, "profile", "-o", tmp_path / "p.json")


def test_a_profile_by_itself_has_a_legend_and_one_of_a_page_has_the_pages(study):
    profile = seedwise.Study(study).chart("profile")
    for spec, drawn in ((profile.vega_lite(), True), (profile.page_spec(), False)):
        colour = spec["encoding"]["color"]
        assert colour["scale"]["domain"] == ["a", "b", "c"]
        assert len(set(colour["scale"]["range"])) == 3
        assert "legend" not in colour
        assert ("disable" not in spec["config"]["legend"]) is drawn
    assert [key.name for key in profile.legend] == ["a", "b", "c"]


def test_the_picture_of_tasks_says_what_is_shown_in_which(study):
    chart = seedwise.Study(study).chart("tasks", "a", "b")
    outcomes = [each.outcome for each in _tasks(study, "mean")]
    for outcome in set(outcomes):
        assert outcome in chart.says.lower()
    assert chart.says.count("task-") == 3
    assert seedwise.Study(study).chart("tasks").says.startswith("b: ")
    assert chart.table.rows[-1][1] == "all tasks"


def _tasks(study, over):
    (found,) = seedwise.Study(study).compare_tasks(["a", "b"], over=over)
    return found.tasks.values()


def test_profiles_of_losses_count_what_is_below(tmp_path):
    path = tmp_path / "study.db"
    call("import", log(tmp_path / "log.csv", metric="wer"), path, "--task", "benchmark")
    profile = seedwise.Study(path).chart("profile")
    assert profile.table.columns[1].startswith("below")
    assert profile.table.rows[0][1] == "0 %"


def test_ranks_are_in_full_from_ten_tasks_on(tmp_path):
    path = tmp_path / "study.db"
    call("import", log(tmp_path / "log.csv", 10), path, "--task", "benchmark")
    said = text(call("compare", path, "--full"))
    assert "Average ranks over 10 tasks, 1 is best: b 1.00" in said
    assert said.count("Average ranks") == 1
    assert "With --full: average ranks." in text(call("compare", path, "a", "b"))


def test_names_of_tasks_are_text(tmp_path):
    path, file = tmp_path / "study.db", log(tmp_path / "log.csv")
    file.write_text(file.read_text().replace("task-1", "<b>[red]/x|*y*"))
    call("import", file, path, "--task", "benchmark")
    assert "<b>[red]/x|*y*" in call("compare", path, "a", "b", "--markdown", tmp_path / "b.md")
    assert "<b>" not in (tmp_path / "b.md").read_text()
    call("report", path)
    assert "<b>[red]" not in path.with_suffix(".html").read_text()


def study_of(folder, name, gain, *, runs=4, diverged=()):
    """A study of logits, with setups `base` and `new`."""
    sample = {"base": runs_of(1.0, runs), "new": runs_of(1.0 + gain, runs)}
    setups = {
        setup: {s: DIVERGED if s in diverged else finished(each) for s, each in enumerate(logits)}
        for setup, logits in sample.items()
    }
    with Studies(folder).make(setups) as store:
        path = store.path
    return path.rename(path.with_name(f"{name}.db"))


def test_studies_of_different_data_are_joined_as_tasks(tmp_path):
    easy, hard = study_of(tmp_path, "easy", 0.3), study_of(tmp_path, "hard", 0.4, runs=3)
    suite = tmp_path / "suite.db"
    assert "2 tasks, 2 setups, 8 runs" in call("merge", easy, hard, "-o", suite, "--as-tasks")
    said = text(call("compare", suite, "base", "new"))
    assert said.startswith("new is better than base over 2 tasks: the mean accuracy is ")
    assert "points higher" in said
    assert "nothing was fixed before the first run" in said
    (found,) = seedwise.Study(suite).compare_tasks()
    for name, path in (("easy", easy), ("hard", hard)):
        alone = seedwise.Study(path).compare("base", "new", metric="accuracy").accuracy
        assert found.tasks[name].deciding.difference.estimate == pytest.approx(
            alone.difference.estimate, abs=1e-12
        )
    assert call("check", suite)


def test_a_run_that_diverged_in_one_task_is_one_there(tmp_path):
    easy = study_of(tmp_path, "easy", 0.3, diverged=(2,))
    hard, suite = study_of(tmp_path, "hard", 0.4), tmp_path / "suite.db"
    call("merge", easy, hard, "-o", suite, "--as-tasks")
    (found,) = seedwise.Study(suite).compare_tasks()
    assert found.tasks["easy"].b.diverged == 1
    assert found.tasks["hard"].b.diverged == 0
    assert found.verdict.withheld == "better"


def test_tasks_need_names_of_their_own_and_no_tasks_within(tmp_path, study):
    easy, suite = study_of(tmp_path, "easy", 0.3), tmp_path / "suite.db"
    assert "tasks are named as their files" in call(
        "merge", easy, easy, "-o", suite, "--as-tasks", code=2
    )
    said = call("merge", easy, study, "-o", suite, "--as-tasks", code=2)
    assert "has tasks already" in said
    assert not suite.exists()
