"""`seedwise compare` and `seedwise plan` as a person calls them."""

import io
import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from helpers.studies import DIVERGED, FAILED, TARGETS, Studies, finished, measured, runs_of
from seedwise.cli import cli
from seedwise.cli.console import Console
from seedwise.cli.verdicts import print_comparisons
from seedwise.comparison import Rule, Stop
from seedwise.study import Study, record
from seedwise.words import Comparison
from seedwise.words.run_cautions import Weight

DOCS = Path(__file__).parents[2] / "docs/statistics.md"


def call(*words, columns=80):
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(cli, [str(word) for word in words])


def text(result):
    """What was printed, with its lines joined."""
    return " ".join(result.stdout.split())


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    setups = {"base": runs_of(1.0), "same": runs_of(1.0001), "good": runs_of(1.3)}
    with Studies(tmp_path_factory.mktemp("study")).make(setups) as store:
        return store.path


@pytest.mark.parametrize("columns", [80, 200])
def test_in_full_the_verdict_comes_first_and_fits_the_screen(study, columns):
    result = call("compare", study, "base", "good", "--full", columns=columns)
    assert result.exit_code == 0
    assert result.stdout.startswith("good is better than base: accuracy is ")
    assert max(map(len, result.stdout.splitlines())) <= columns
    assert re.search(r"accuracy .*\+\d\.\d\d +\[\+\d\.\d\d, \+\d\.\d\d\] +\[", result.stdout)
    assert ("good: mean, sd" in result.stdout) == (columns == 200)
    for words in ("new seeds on these images", "Predictions that differ: same seed", "Sign-flip"):
        assert words in text(result)


@pytest.mark.parametrize("candidates", [4, 8, 9, 30])
def test_however_many_candidates_have_ten_lines_and_those_with_a_verdict_come_before(
    tmp_path, candidates
):
    rng = np.random.default_rng(0)
    shifts = {"base": 0.0, **{f"same{place}": 0.0 for place in range(candidates - 2)}}
    shifts |= {"good": 0.3, "bad": -0.3}
    setups = {
        name: [measured(accuracy=0.5 + shift + 0.02 * rng.normal()) for _ in range(6)]
        for name, shift in shifts.items()
    }
    with Studies(tmp_path).make(setups, classes=0) as store:
        path = store.path
    result = call("compare", path)
    lines = result.stdout.splitlines()
    assert len(lines) <= 10
    assert any(line.startswith("good - base") and " better " in line for line in lines)
    assert any(line.startswith("bad - base") and " worse " in line for line in lines)
    if candidates > 8:
        rest = candidates - 7
        assert f"and {rest} more ({rest} undecided): --full" in lines
    else:
        assert sum(" - base" in line for line in lines) == candidates
    full = text(call("compare", path, "--full"))
    assert all(f" {name} " in full for name in shifts)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Studies with something to bear in mind, by what it is."""
    make, learned = Studies(tmp_path_factory.mktemp("odd")).make, runs_of(1.3, 8)
    rng = np.random.default_rng(1)
    values = [measured(accuracy=0.9 + 0.01 * float(each)) for each in rng.normal(size=8)]
    lost = [*values[:6], DIVERGED, FAILED]
    setups = {
        "nothing": {"a": runs_of(0.0, 8), "b": runs_of(0.0001, 8)},
        "constant": {"a": values, "b": [measured(accuracy=0.8)] * 8},
        "same": {"a": learned, "b": learned.copy()},
        "ceiling": {"a": runs_of(9.0, 8), "b": runs_of(9.1, 8)},
        "mixed": {"a": values, "a setup with a name that is far too long": lost},
        "far": {"a": values, "b": [*values[:7], measured(accuracy=0.1)]},
        "one": {"a": values[:1], "b": values[1:2]},
        "several": {name: runs_of(1 + 0.2 * place, 5) for place, name in enumerate("abcd")},
        "clean": {"a": runs_of(1.0, 20), "b": runs_of(1.3, 20)},
    }
    paths = {}
    for name, each in setups.items():
        plain = isinstance(next(iter(each.values())), list)
        with make(each, plan=name not in ("mixed", "far"), classes=0 if plain else 5) as store:
            paths[name] = store.path
    return paths


@pytest.mark.parametrize(
    "name", ["nothing", "constant", "same", "ceiling", "mixed", "far", "one", "several", "clean"]
)
def test_a_verdict_takes_ten_lines_and_names_every_caution_that_changes_it(odd, name):
    result = call("compare", odd[name])
    lines = result.stdout.splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 80
    assert "--full" in lines[-1]
    study = Study(odd[name])
    for found in study.compare_several():
        for note in found.view.notes:
            if note.weight == Weight.GRAVE:
                short = result.stdout.replace("\n", " ")
                assert note.text in " ".join(short.split()) or note.label in short


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "Nothing was learned: accuracy is "),
        ("nothing", "and naming the commonest class each time gets 20.0 %"),
        ("constant", "All 8 runs of b have the same accuracy, 80.00 %: the seed seems to have"),
        ("same", "b and a have the same results in every pair"),
        ("ceiling", "Accuracy is at its ceiling (100.00 % and 100.00 %)"),
    ],
)
def test_runs_that_show_nothing_are_said_to(odd, name, said):
    assert said in text(call("compare", odd[name]))
    assert said not in text(call("compare", odd["clean"], "--full"))


def test_one_setup_that_learned_nothing_is_named(tmp_path):
    with Studies(tmp_path).make({"a": runs_of(1.3), "b": runs_of(0.0)}) as store:
        result = call("compare", store.path)
    assert "Nothing was learned by b: accuracy is " in text(result)


def test_plain_metrics_are_never_said_to_be_of_images(odd):
    for words in ((), ("--full",), ("--metric", "accuracy", "--unpaired", "--full")):
        assert "image" not in call("compare", odd["far"], *words).stdout
    assert "image" not in call("compare", odd["far"], "a", "--target", "0.5").stdout


def test_what_vetoes_a_verdict_is_said_in_its_place(tmp_path):
    """The wrong predictions of b are less sure of themselves; as many are right."""
    a = runs_of(1.0, 12)
    b = runs_of(1.0, 12)
    wrong = b.argmax(-1) != TARGETS
    b[wrong] *= 0.5
    flipped = b.copy()
    with Studies(tmp_path).make({"a": a, "b": flipped}) as store:
        found = Study(store.path).compare("a", "b")
        result = call("compare", store.path)
    assert found.outcome == "undecided"
    assert found.deciding.metric == "accuracy"
    said = result.stdout.split(";")[0].replace("\n", " ")
    assert re.match(r"Undecided: matched accuracy shows b better than a, but accuracy \(", said)


def test_on_a_terminal_the_verdict_comes_last(study):
    shown = io.StringIO()
    console = Console(file=shown, width=80, force_terminal=True, color_system=None)
    print_comparisons(console, [Study(study).compare("base", "good")])
    last = shown.getvalue().rstrip().rsplit("\n\n", 1)[-1]
    assert last.startswith("good is better than base: accuracy is ")


def test_all_setups_are_compared_with_the_first_where_none_is_named(study):
    result = call("compare", study, "--full")
    verdicts = result.stdout.split("\n\n")[0]
    assert verdicts.startswith("Undecided: these runs can't tell same from base")
    assert "\ngood is better than base" in verdicts
    assert "corrected for 2 comparisons (Holm)" in text(result)
    pairs = call("compare", study, "--all-pairs", "--correction", "bh", "--json").stdout
    assert [json.loads(line)["family"]["size"] for line in pairs.splitlines()] == [3, 3, 3]


@pytest.mark.parametrize(
    ("pair", "fail_if", "code"),
    [
        (("base", "good"), "worse", 0),
        (("good", "base"), "worse", 1),
        (("base", "good"), "not-better", 0),
        (("base", "same"), "not-better", 1),
        (("base", "same"), "different", 0),
        (("base", "good"), "different", 1),
    ],
)
def test_a_gate_ends_with_exit_code_1(study, pair, fail_if, code):
    result = call("compare", study, *pair, "--fail-if", fail_if)
    assert result.exit_code == code
    assert result.stdout  # the verdict is printed all the same
    assert result.stderr == ""


def test_any_of_several_verdicts_closes_the_gate(study):
    assert call("compare", study, "--fail-if", "not-better").exit_code == 1
    assert call("compare", study, "good", "base", "same", "--fail-if", "worse").exit_code == 1


def test_a_margin_allows_equivalent_and_is_exploratory_if_it_was_not_fixed(study):
    result = call("compare", study, "base", "same", "--margin", "0.1")
    assert result.stdout.startswith("same and base are equivalent: their accuracy differs by less")
    assert "Note: Exploratory, the stated error rates may not hold: margin is 0.1 here" in text(
        result
    )


@pytest.fixture(scope="module")
def stopping(tmp_path_factory):
    """Better by the rule; and one that the figures, looked at once, would call better too."""
    setups = {
        "base": runs_of(1.0, 12),
        "good": runs_of(1.5, 12),
        "faint": runs_of(1.06, 12, own=0.1),
    }
    stop = Stop(difference=1e-4, alpha=1e-6, max_runs=12)
    with Studies(tmp_path_factory.mktemp("stopping")).make(setups, stop=stop) as store:
        return store.path


def test_what_a_stopping_rule_decided_comes_first_and_the_figures_are_exploratory(stopping):
    result = call("compare", stopping, "base", "good", "--full")
    assert result.stdout.startswith("good is better than base, after ")
    assert max(map(len, result.stdout.splitlines())) <= 80
    for words in (
        "false alarms over 2 candidates where differences are about normal",
        "The same runs as if their number had been fixed beforehand, which is exploratory: good",
        "Note: Exploratory, the stated error rates may not hold: a stopping rule looked after "
        "every pair",
    ):
        assert words in text(result)


@pytest.mark.parametrize(
    ("pair", "fail_if", "code"),
    [
        (("base", "good"), "not-better", 0),
        (("good", "base"), "worse", 1),
        (("base", "faint"), "not-better", 1),
        (("base", "faint"), "different", 0),
        (("base", "faint", "--confidence", "0.5", "--metric", "accuracy"), "not-better", 1),
    ],
)
def test_a_gate_goes_by_what_the_stopping_rule_decided(stopping, pair, fail_if, code):
    assert call("compare", stopping, *pair, "--fail-if", fail_if).exit_code == code


def test_no_caution_says_that_what_a_stopping_rule_decided_is_exploratory(stopping):
    brief = text(call("compare", stopping, "base", "good"))
    assert brief.startswith("good is better than base, after ")
    assert "exploratory" not in brief.lower()


def test_one_setup_of_a_study_is_compared_with_nothing(stopping):
    said = call("compare", stopping, "base").stderr
    assert "name two setups or more, or give --target; got only 'base'" in said


def test_json_has_what_the_stopping_rule_decided(stopping):
    (line,) = call("compare", stopping, "base", "faint", "--json").stdout.splitlines()
    found = json.loads(line)
    assert (found["outcome"], found["verdict"]["outcome"]) == ("undecided", "better")
    assert found["sentence"].startswith("Undecided: faint against base, after ")
    assert found["exploratory"].startswith("faint is better than base")
    stopping = found["stopping"]
    assert (stopping["candidate"], stopping["rule"]["baseline"]) == ("faint", "base")
    assert stopping["decision"]["n"] == len(stopping["decision"]["trace"])
    assert found["rule"]["margin"] == 1e-4


def test_runs_with_crossed_seeds_are_no_sample(tmp_path):
    """Eight runs over two seeds of each stream: two of them share none."""
    logits = runs_of(1.0, 8), runs_of(1.3, 8)
    crossed = [(i, o, a) for i in (0, 1) for o in (0, 1) for a in (0, 1)]
    setups = {
        name: {seed: finished(one) for seed, one in zip(crossed, runs, strict=True)}
        for name, runs in zip("ab", logits, strict=True)
    }
    with Studies(tmp_path).make(setups) as store:
        path = store.path
    result = call("compare", path, "a", "b", "--full")
    assert "From 2 pairs of runs with the same seeds" in text(result)
    assert "Note: Left out: 6 of a for a seed that they share with another run" in text(result)
    assert "Exploratory" not in text(result)
    status = call("status", path)
    assert re.search(r"a +accuracy +2 ", status.stdout)
    assert "Left out: 6 of b" in text(status)
    target = call("compare", path, "a", "--target", "0.1")
    assert "Note: Left out: 6 of a" in text(target)


def test_a_target_is_compared_with_one_setup(study):
    assert call("compare", study, "base", "--target", "0.01").stdout.startswith(
        "base is better than the target 1.00 %: accuracy is "
    )
    result = call("compare", study, "base", "--target", "0.99", "--fail-if", "worse", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["outcome"] == "worse"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("base", "god"), "unknown setup 'god'; did you mean 'good'?"),
        (("base", "good", "--metric", "acuracy"), "unknown metric 'acuracy'; did you mean 'accu"),
        (
            ("base", "good", "--metric", "accuracy:view=x"),
            "unknown setting of accuracy 'view'",
        ),
        (("base", "good", "--metric", "nowhere:f"), "metric 'nowhere:f' cannot be loaded: no mod"),
        (("base", "good", "--margin", "5"), "margin is a fraction of accuracy, e.g. 0.005 for"),
        (("base", "good", "--margin", "-1"), "margin must be above 0, got -1.0; half a point of"),
        (("base", "base"), "give two or more different setups, got base, base"),
        (("base", "good", "--target", "0.8"), "--target compares one setup, without a margin or"),
    ],
)
def test_a_wrong_comparison_is_one_line(study, words, message):
    result = call("compare", study, *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"seedwise: {message}")
    assert result.stderr.count("\n") == 1


def test_names_of_setups_are_data(tmp_path):
    setups = {"[bold]a[/]": runs_of(1.0, 3), "[red]": runs_of(1.3, 3)}
    with Studies(tmp_path).make(setups) as store:
        brief, result = call("compare", store.path), call("compare", store.path, "--full")
    assert brief.stdout.startswith("[red] is better than [bold]a[/]: ")
    assert "[red] - [bold]a[/]" in text(result)


def test_diverged_runs_are_told(tmp_path):
    setups = {"a": [*runs_of(1.0, 4), DIVERGED], "b": runs_of(1.3, 5)}
    with Studies(tmp_path).make(setups) as store:
        brief, full = call("compare", store.path), call("compare", store.path, "--full")
    for result in (brief, full):
        assert "Note: Diverged: 1 of 5 runs of a, 0 of 5 of b" in text(result)
    assert "5 runs, 1 diverged" in text(full)


def test_every_key_of_the_json_is_documented(study):
    (line,) = call("compare", study, "base", "good", "--json").stdout.splitlines()
    found = json.loads(line)
    assert found["outcome"] == "better"
    assert found["sentence"].startswith("good is better than base")
    assert found["contrasts"]["accuracy"]["difference"]["n_a"] == 6
    assert {field.name for field in fields(Comparison)} <= found.keys()
    documented = set(re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE))
    assert found.keys() <= documented


def test_unknown_numbers_are_null_in_json(tmp_path):
    with Studies(tmp_path).make({"a": runs_of(1.0, 1), "b": runs_of(1.3, 3)}) as store:
        found = json.loads(call("compare", store.path, "--unpaired", "--json").stdout)
    assert found["deciding"]["difference"]["high"] is None
    assert found["chance"]["low"] is None


def test_what_was_fixed_is_what_compare_goes_by(tmp_path):
    rule = Rule(metric="accuracy", margin=0.1)
    setups = {"a": runs_of(1.0), "b": runs_of(1.0001)}
    with Studies(tmp_path).make(setups, rule=rule) as store:
        result = call("compare", store.path)
    assert "equivalent" in result.stdout.splitlines()[0]
    assert "Exploratory" not in result.stdout


def test_plan_reproduces_the_reference():
    result = call("plan", "--sd", "0.0035")
    assert "given unpaired 0.0035 - 50 9 4" in text(result)
    narrow = call("plan", "--sd", "0.0025", "--r", "0.8", "--runs", "10", "--seconds", "17")
    assert "given unpaired 0.0025 - 26 6 3" in text(narrow)
    assert "10 runs of each of two setups take 05:40 one after another" in text(narrow)


def test_plan_from_a_pilot_fits_the_screen_and_tells_its_uncertainty(study):
    result = call("plan", study, "base", "good", "--margin", "0.01", "--runs", "5")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert re.search(r"accuracy +paired +0\.\d+ +-?0\.\d+ +[\d,]+ \([\d,]+\)", result.stdout)
    assert "upper 80 % confidence bound" in text(result)


def test_plan_tells_what_a_stopping_rule_would_do(study):
    words = ("--margin", "0.03", "--max-runs", "10", "--difference", "0.05")
    result = call("plan", study, "base", "good", *words)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "difference pairs time better worse equivalent undecided" in text(result)
    share = r"[<>]?\d+ \([<>]?\d+\)"
    row = rf"^0.05 +[\d.]+ \([\d.]+\) +\d\d:\d\d +{share} +{share} +{share} +{share}$"
    assert re.search(row, result.stdout, re.MULTILINE)
    assert "times as far as accuracy (as in this pilot)" in text(result)
    same = text(call("plan", study, "base", "same", *words))
    assert "(assumed, as this pilot does not show a difference)" in same


def test_plan_says_of_runs_that_hardly_correlate_what_unpaired_looks_would_take(tmp_path):
    path, rng = tmp_path / "study.db", np.random.default_rng(8)
    for setup, mean in (("a", 0.8), ("b", 0.81)):
        for seed, own in enumerate(rng.normal(mean, 0.005, 8)):
            record(path, setup=setup, seed=seed, metrics={"accuracy": float(own)})
    words = ("--margin", "0.005", "--max-runs", "10", "--difference", "0.01")
    result = call("plan", path, "a", "b", *words)
    assert max(map(len, result.stdout.splitlines())) <= 80
    found = re.search(r"hardly correlate in this pilot, r = (-?\d\.\d\d)\.", text(result))
    assert float(found[1]) < 0.3
    paired = re.search(r"^0.01 +([\d.]+) ", result.stdout, re.MULTILINE)[1]
    unpaired = re.search(r"paired = false in \[stop\] takes [\d.]+, ([\d.]+) p", text(result))
    assert float(unpaired[1]) < float(paired)


def test_plan_of_a_stopping_rule_from_given_figures_says_that_it_has_accuracy_only():
    words = ("--sd", "0.0035", "--r", "0.8", "--margin", "0.005", "--max-runs", "20")
    result = call("plan", *words)
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert re.search(r"^0 +\d\.\d +<1 +<1 +>99 +<1$", result.stdout, re.MULTILINE)
    assert "By accuracy alone." in text(result)
    timed = call("plan", *words, "--seconds", "17").stdout
    pairs, minutes, seconds = re.search(r"^0.01 +([\d.]+) +(\d\d):(\d\d)", timed, re.M).groups()
    assert 60 * int(minutes) + int(seconds) == pytest.approx(2 * 17 * float(pairs), abs=2.3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give either --sd, or a study file and one or two of its setups"),
        (("--sd", "0"), "a standard deviation must be above 0, got 0.0"),
        (("--sd", "0.1", "--r", "1"), "r must be from -1 to below 1, got 1.0"),
        (("--sd", "0.1", "--power", "2"), "power must be above alpha and below 1, got 2.0"),
        (("--sd", "0.1", "--difference", "0"), "a difference must be above 0, got 0.0"),
        (
            ("--sd", "0.1", "--margin", "5"),
            "margin is a fraction of accuracy, above 0 and below 1",
        ),
        (("nowhere.db",), "nowhere.db does not exist"),
        (("--sd", "0.1", "--max-runs", "9"), "max_runs plans a stopping rule, whose difference"),
        (
            ("--sd", "0.1", "--margin", "0.1", "--max-runs", "2"),
            "max_runs of a plan must be from 3 to 300, got 2",
        ),
        (
            ("--sd", "0.1", "--margin", "0.1", "--max-runs", "9"),
            "max_runs plans a stopping rule, which compares runs of the same seed; give their",
        ),
    ],
)
def test_a_wrong_plan_is_one_line(words, message):
    result = call("plan", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"seedwise: {message}")
    assert result.stderr.count("\n") == 1


def test_a_difference_of_accuracy_in_points_is_a_mistake(study):
    result = call("plan", study, "base", "good", "--difference", "0.5", "--difference", "1")
    assert result.exit_code == 2
    assert result.stderr.startswith("seedwise: difference is a fraction of accuracy, e.g. 0.005")


def test_a_block_for_a_pull_request_is_written_beside_what_is_printed(study, tmp_path):
    block = tmp_path / "block.md"
    result = call("compare", study, "base", "good", "same", "--markdown", block)
    assert result.exit_code == 0
    headlines = result.stdout.split("\n\n")[0].split("\n")
    written = block.read_text()
    assert written.startswith("**good is better than base: accuracy is ")
    assert written.count("| metric | base |") == 2
    assert headlines[0].split(":")[0] in written
    result = call("compare", study, "good", "--target", 0.1, "--json", "--markdown", block)
    assert block.read_text() == f"**{json.loads(result.stdout)['sentence']}**\n"


def test_the_block_never_replaces_the_study(study):
    result = call("compare", study, "base", "good", "--markdown", study)
    assert result.exit_code == 2
    assert "is the study itself; name another file" in result.stderr
