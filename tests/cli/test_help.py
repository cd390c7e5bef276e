"""Help of the command line: its groups, what a shell completes, and options that come twice."""

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from helpers.studies import Studies, runs_of
from seedwise import Study
from seedwise.cli import SECTIONS, cli
from seedwise.errors import ConfigError


def call(*words):
    return CliRunner(env={"COLUMNS": "80"}).invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    setups = {"mish": runs_of(1.0), "relu": runs_of(1.3), "relu6": runs_of(1.1)}
    with Studies(tmp_path_factory.mktemp("study")).make(setups) as store:
        return store.path


def test_every_command_is_listed_in_one_section():
    listed = [str(command.name) for commands in SECTIONS.values() for command in commands]
    assert sorted(listed) == sorted(cli.commands)
    shown = call("--help").stdout
    for section, commands in SECTIONS.items():
        part = shown.split(f"{section}:\n")[1].split("\n\n")[0].splitlines()
        assert [line.split()[0] for line in part] == [command.name for command in commands]


def test_help_begins_with_a_first_study_of_three_lines():
    lines = call("--help").stdout.splitlines()
    place = lines.index("A first study, on any CPU:")
    assert place == 2
    assert [line.split("  ")[1].split()[0] for line in lines[place + 1 : place + 4]] == [
        "pip",
        "seedwise",
        "seedwise",
    ]
    assert lines[place + 4] == ""
    assert max(map(len, lines)) <= 80
    assert "..." not in "".join(lines[place:])


def completed(*words, incomplete=""):
    shell = ShellComplete(cli, {}, "seedwise", "_SEEDWISE_COMPLETE")
    return [each.value for each in shell.get_completions([*map(str, words)], incomplete)]


@pytest.mark.parametrize("command", ["compare", "plan", "report", "variance", "drop", "repeat"])
def test_a_shell_completes_the_setups_of_the_study_on_the_line(study, command):
    assert completed(command, study) == ["mish", "relu", "relu6"]
    assert completed(command, study, incomplete="re") == ["relu", "relu6"]


def test_a_shell_is_told_nothing_where_there_is_no_study(tmp_path):
    (tmp_path / "torn.db").write_bytes(b"SQLite format 3\0 torn")
    assert completed("compare", tmp_path / "none.db") == []
    assert completed("compare", tmp_path / "torn.db") == []


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "--metric", "accuracy", "--metric", "f1"),
        ("report", "--metric", "accuracy", "--metric", "accuracy"),
        ("compare", "--margin", "0.1", "--margin", "0.2"),
    ],
)
def test_an_option_of_one_value_that_has_two_is_refused(study, words):
    command, option, *_ = words
    result = call(command, study, *words[1:])
    assert result.exit_code == 2
    assert result.stderr == f"seedwise: {option} takes one value, but was given 2 times\n"


def test_an_option_of_several_values_may_come_again(study):
    assert call("table", study, "--metric", "accuracy", "--metric", "brier").exit_code == 0


def test_a_study_compares_without_names_as_the_command_does(study):
    found = Study(study).compare()
    assert [(each.a.name, each.b.name) for each in found] == [("mish", "relu"), ("mish", "relu6")]
    assert all(each.family and each.family.size == 2 for each in found)
    assert found == Study(study).compare_several()
    with pytest.raises(ConfigError, match="name two setups to compare, or none for all; got 'mi"):
        Study(study).compare("mish")  # type: ignore[call-overload]


def test_a_cost_is_refused_in_one_line_where_it_cannot_be_asked_for(tmp_path):
    table = tmp_path / "t.csv"
    rows = [
        f"{task},{name},{seed},.{seed + 1}" for task in "xy" for name in "ab" for seed in (0, 1)
    ]
    table.write_text("\n".join(["task,setup,seed,acc", *rows]))
    suite = tmp_path / "suite.db"
    assert call("import", table, suite, "--task", "task").exit_code == 0
    assert call("compare", suite).exit_code == 0
    for words in ((), ("a", "--metric", "x/acc", "--target", "0.5")):
        result = call("compare", suite, *words, "--cost", "seconds")
        assert result.exit_code == 2
        assert result.stderr.startswith("seedwise: --cost is for setups compared on one metric")
