"""`seedwise variance`, `aa`, `repeat` and `run --sources`, as a person calls them."""

import sys

import pytest
from click.testing import CliRunner

from seedwise.cli import cli
from seedwise.store import Store

FUNCTIONS = """
from itertools import count

import numpy as np

CALLS = count()
TARGETS = np.arange(100) % 4


def good(seed, noise=0.0):
    rng = np.random.default_rng([seed.init, seed.order])
    logits = rng.normal(size=(2, 100, 4))
    logits += noise * np.random.default_rng(next(CALLS)).normal(size=logits.shape)
    logits[:, np.arange(100), TARGETS] += 1 + seed.augment / 100
    return {"predictions": logits, "targets": TARGETS}


def poor(seed):
    return {"predictions": good(seed)["predictions"] * [1.3, 1, 1, 1], "targets": TARGETS}


def drifts(seed):
    return good(seed, 0.3)


def sharpens(seed):
    return {"predictions": good(seed)["predictions"] * (1 + next(CALLS) / 8), "targets": TARGETS}
"""


def call(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def train(study, setup):
    """What lets a function of one's own be trained: naming it here."""
    with Store.open(study, readonly=True) as store:
        return "--train", store.setups()[setup].train


def words_of(result):
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


@pytest.fixture
def toml(tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    module = f"noisy_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{module}.py").write_text(FUNCTIONS)
    setups = (f'[setups.{name}]\ntrain = "{module}:{name}"' for name in ("good", "poor", "drifts"))
    (tmp_path / "study.toml").write_text("seeds = 6\n" + "\n".join(setups))
    yield tmp_path / "study.toml"
    sys.modules.pop(module, None)


@pytest.fixture
def study(toml):
    assert call("run", toml).exit_code == 0
    return toml.with_suffix(".db")


def test_variance_has_the_confidence_that_the_study_fixed(toml):
    toml.write_text(toml.read_text() + "\n[verdict]\nconfidence = 0.9\n")
    assert call("run", toml).exit_code == 0
    text = words_of(call("variance", toml.with_suffix(".db"), "good"))
    assert "90 % intervals; accuracies in points" in text
    assert "90 % intervals, new seeds" in text
    assert "95 %" not in text


def test_variance_tells_all_its_parts_within_80_columns(toml, study):
    result = call("variance", study, "good")
    text = words_of(result)
    assert text.startswith("good: 6 finished runs without a common seed")
    for part in (
        "Training noise against test-set noise",
        "With 6 runs the two cannot be told apart",
        "No runs share some seeds and not others",
        "make half of the test-set noise",
        "Which metric shows poor - good with the fewest runs; 6 pairs",
        "matched accuracy (level=0.7)",
    ):
        assert part in text
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_nothing_is_cut_where_the_line_is_short(study):
    result = CliRunner(env={"COLUMNS": "60"}).invoke(cli, ["variance", str(study), "good"])
    assert max(map(len, result.stdout.splitlines())) <= 60
    assert result.stdout.count("[") == result.stdout.count("]") > 20


def test_run_sources_trains_the_crossing_and_prints_where_the_noise_comes_from(toml):
    result = call("run", toml, "--sources", "init,order,augment=2")
    text = words_of(result)
    assert "3 setups, 24 runs: 0 stored, 24 to make" in text
    assert "accuracy, seeds crossed 2 init x 2 order x 2 augment:" in text
    assert "part of init x order x augment *" in text
    assert "* with whatever a repeat would change" in text
    assert "only order varies" in words_of(call("variance", toml.with_suffix(".db"), "good"))


def test_a_repeat_that_is_identical_says_so(study):
    text = words_of(call("repeat", study, "good", "--seed", "3", *train(study, "good")))
    assert "good seed 3: run 10 and its repeat 1 are identical, bit for bit." in text
    assert "what two setups share, they share exactly" in text


def test_a_repeat_that_differs_says_how_and_what_it_costs(study):
    text = words_of(call("repeat", study, "drifts", "--seed", "3", *train(study, "drifts")))
    assert "and its repeat 1 differ." in text
    assert "of the predictions are of another class" in text
    assert "The floor under a paired difference of accuracy" in text
    assert "Pairing cannot save more than a factor of" in text


def test_a_repeat_that_differs_without_another_accuracy_is_not_said_to_be_exact(toml):
    toml.write_text(toml.read_text().replace("drifts", "sharpens"))
    assert call("run", toml).exit_code == 0
    study = toml.with_suffix(".db")
    text = words_of(call("repeat", study, "sharpens", "--seed", "3", *train(study, "sharpens")))
    assert "and its repeat 1 differ." in text
    assert "0.00 % of the predictions are of another class" in text
    assert "of accuracy is too small to be seen so far (1 repeat)" in text
    assert "exactly" not in text


def test_aa_counts_false_alarms_and_says_what_they_prove(study):
    words = ("--comparisons", 4, "--runs", 3, *train(study, "good"))
    text = words_of(call("aa", study, "good", *words))
    assert "good against itself, 3 runs a side" in text
    assert "of 2 called different" in text
    assert "No twins: a training function of your own" in text
    again = words_of(call("aa", study, "good", *words))
    assert "12 runs: 12 stored, 0 to make" in again


def test_aa_judges_with_the_usual_stopping_rule_where_the_study_has_none(study):
    words = ("--stop", "--comparisons", 4, "--runs", 3, *train(study, "good"))
    text = words_of(call("aa", study, "good", *words))
    assert "the stopping rule, which looks after every pair, states 5 % false alarms" in text
    assert "other seeds, paired by chance: 0 of 2 called different" in text


def test_aa_judges_with_the_stopping_rule_of_the_study(toml):
    lines = toml.read_text().replace("seeds = 6\n", "")
    toml.write_text(f"{lines}\n[stop]\ndifference = 0.02\nalpha = 0.01\nmax_runs = 6\n")
    assert call("run", toml).exit_code == 0
    study = toml.with_suffix(".db")
    words = ("--stop", "--comparisons", 4, *train(study, "good"))
    text = words_of(call("aa", study, "good", *words))
    assert "states 1 % false alarms" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["variance", "study.db", "god"], "unknown setup 'god'; did you mean 'good'?"),
        (["variance", "no.db", "good"], "no.db does not exist"),
        (["repeat", "study.db", "good"], "Missing option '--seed'"),
        (["repeat", "study.db", "good", "--seed", "x"], "a seed is written 3 or 3/3/4, got 'x'"),
        (["repeat", "study.db", "good", "--seed", "77"], "setup 'good' of study.db has no run"),
        (["repeat", "study.db", "good", "--seed", "3"], "setup 'good' is trained by noisy_"),
        (["aa", "study.db", "good"], "setup 'good' is trained by noisy_"),
        (["aa", "study.db", "good", "--train", "x:y"], "setup 'good' is trained by noisy_"),
        (["aa", "study.db", "god"], "unknown setup 'god'"),
        (["aa", "study.db", "good", "--runs", "1"], "Invalid value for '--runs'"),
        (["aa", "study.db", "good", "--stop", "--alpha", "0.1"], "--alpha is for the t test; the"),
        (["aa", "study.db", "good", "--stop", "--runs", "2"], "a stopping rule first looks after"),
        (["aa", "study.db", "good", "--store", "study.db"], "study.db is the study itself"),
        (["run", "study.toml", "--sources", "init"], "sources are written init,order,augment=4"),
        (
            ["run", "study.toml", "--seeds", "3", "--sources", "init=3"],
            "--seeds and --sources both name the seeds",
        ),
    ],
)
def test_a_fault_of_the_user_is_one_line_and_exit_code_2(study, words, message):
    result = call(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"seedwise: {message}")
    assert result.stderr.count("\n") == 1
