"""The commands as a person calls them."""

import csv
import dataclasses
import importlib.util
import inspect
import io
import math
import os
import re
import signal
import subprocess
import sys
from unittest.mock import create_autospec

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from seedwise import stats
from seedwise.cli import cli
from seedwise.cli import options as options_module
from seedwise.cli.demo import DEMO
from seedwise.comparison import Rule
from seedwise.store import Store
from seedwise.study import Study
from seedwise.study.config import load_study

STUDY = """
seeds = 3

[setups.good]
train = "{module}:good"

[setups.poor]
train = "{module}:poor"
"""
FUNCTIONS = """
from pathlib import Path

import numpy as np

TARGETS = np.arange(200) % 4


def predictions(seed, skill):
    rng = np.random.default_rng([seed.init, int(10 * skill)])
    logits = rng.normal(size=(2, 200, 4))
    logits[:, np.arange(200), TARGETS] += skill
    return {"predictions": logits, "targets": TARGETS}


def good(seed):
    return predictions(seed, 2.0)


def poor(seed):
    return predictions(seed, 0.5)


def sometimes(seed):
    if seed.init == 1:
        raise RuntimeError("the disk is on fire")
    return predictions(seed, 1.0)


def never(seed):
    raise RuntimeError("no disk at all")


def held_up(seed):
    # From seed 2 on a run waits for somebody to write into the file.
    if seed.init >= 2:
        Path(__file__).with_name("gate").read_text()
    return predictions(seed, 1.0)


def numbers(seed):
    return {"f1": 0.5 + seed.init / 10}
"""


def call(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


@pytest.fixture
def module(here, request):
    """A module of training functions, under a name that no other test has imported."""
    name = f"trainings_{abs(hash(request.node.nodeid))}"
    (here / f"{name}.py").write_text(FUNCTIONS)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def toml(here, module):
    file = here / "study.toml"
    file.write_text(STUDY.format(module=module))
    return file


@pytest.fixture
def study(here, toml):
    result = call("run", toml)
    assert result.exit_code == 0, result.output
    return here / "study.db"


def one_line(result):
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("seedwise: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("seedwise: ").rstrip()


def commands():
    for name, command in sorted(cli.commands.items()):
        if isinstance(command, click.Group):
            for inner in sorted(command.commands):
                yield name, inner
        else:
            yield (name,)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_each_command_has_a_sentence_an_example_and_its_exit_codes(words):
    result = call(*words, "--help")
    assert result.exit_code == 0
    _, _, text, *_ = result.stdout.splitlines()
    assert text.strip().endswith(".")
    command = cli.commands[words[0]]
    command = command.commands[words[1]] if isinstance(command, click.Group) else command
    title = "Example" if len(command.example) == 1 else "Examples"
    assert f"{title}:\n  seedwise {' '.join(words)}" in result.stdout
    assert "Exit codes:\n  0" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", [[], ["--help"], ["data"], ["data", "--help"]])
def test_without_a_command_the_help_lists_them_in_full(words):
    result = call(*words)
    assert result.exit_code == 0
    sections = result.stdout.partition("--help")[2]
    assert "  check  " in sections
    assert "..." not in sections


def test_the_command_line_is_there_in_no_time():
    code = (
        "import sys, seedwise.cli; "
        "print({'torch', 'numpy', 'scipy', 'numba', 'PIL', 'rich', 'pooch', 'sqlite3'} "
        "& set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_the_module_is_the_command():
    words = [sys.executable, "-m", "seedwise", "--version"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("seedwise 0.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stats"], "unknown command 'stats'; did you mean 'status'? Known: aa, bench, check"),
        (["data", "lst"], "unknown command 'lst'; did you mean 'list'?"),
        (["run"], "Missing argument 'STUDY.TOML'."),
        (["run", "x.toml", "--seed", "3"], "No such option '--seed'."),
        (["run", "x.toml", "--jobs", "0"], "Invalid value for '--jobs': 0 is not in the range"),
        (["run", "x.toml", "--pack", "0"], "Invalid value for '--pack': '0' is neither auto nor"),
        (["aa", "x.db", "a", "--pack", "many"], "Invalid value for '--pack': 'many' is neither"),
        (
            ["bench", "--pack", "-1"],
            "Invalid value for '--pack': '-1' is neither auto nor a number",
        ),
        (["run", "x.toml"], "x.toml cannot be read: No such file or directory"),
        (["status", "x.db"], "x.db does not exist; `seedwise run` makes it"),
        (["export", "x.db"], "x.db does not exist"),
        (["compare", "x.db", "a"], "x.db does not exist"),  # as in `compare a b`, without a study
        (["compare", "x.db", "a", "b"], "x.db does not exist; `seedwise run` makes it"),
        (["compare", "x.db", "a", "b", "--confidence", "1"], "Invalid value for '--confidence'"),
        (["data", "show", "imagenete"], "unknown dataset (and no such folder or archive) 'imag"),
        (["data", "split", "digits", "--per-class", "5"], "--per-class and --seed go together"),
        (["data", "split", "digits", "--split", "pages"], "unknown split 'pages'; did you mean"),
    ],
)
def test_a_fault_of_the_user_is_one_line_and_exit_code_2(here, words, message):
    assert one_line(call(*words)).startswith(message)


def test_a_study_is_run_summed_up_and_compared(toml, here):
    result = call("run", toml)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "2 setups, 6 runs: 0 stored, 6 to make"
    assert sum("finished" in line for line in lines) == 6
    assert any(line.startswith("poor is worse than good: accuracy is ") for line in lines)
    with Store.open(here / "study.db", readonly=True) as store:
        dataset = store.dataset()
        assert dataset is not None
        runs = {name: [run.id for run in store.runs(name)] for name in ("good", "poor")}
        values = {
            name: np.array(stats.accuracy(store.logits(ids), dataset.targets))
            for name, ids in runs.items()
        }
    words = [line.split() for line in lines]
    for name, found in values.items():
        mean, sd = found.mean(), found.std(ddof=1)
        row = f"{name} accuracy 3 {100 * mean:.2f} % {100 * sd:.2f} 0 0"
        assert row.split() in words
    difference = 100 * (values["poor"] - values["good"]).mean()
    assert any(line[:1] == ["accuracy"] and f"{difference:+.1f}" in line for line in words)


def test_the_same_command_makes_what_is_missing(toml, study):
    again = call("run", toml)
    assert again.exit_code == 0
    assert "2 setups, 6 runs: 6 stored, 0 to make" in again.stdout
    more = call("run", toml, "--seeds", "1:5")
    assert "2 setups, 8 runs: 4 stored, 4 to make" in more.stdout
    with Store.open(study, readonly=True) as store:
        assert len(store.runs()) == 10


def test_the_study_file_may_have_another_name(toml, here):
    assert call("run", toml, "--seeds", "1", "--store", "other.db").exit_code == 0
    assert (here / "other.db").exists()
    assert not (here / "study.db").exists()


def test_the_baseline_comes_first_in_each_comparison(toml):
    toml.write_text('baseline = "poor"\n' + toml.read_text())
    assert "good is better than poor: accuracy is " in call("run", toml).stdout


def test_failed_runs_are_told_kept_and_tried_again(here, module):
    toml = here / "study.toml"
    toml.write_text(f'seeds = 3\n[setups.frail]\ntrain = "{module}:sometimes"')
    result = call("run", toml)
    assert result.exit_code == 1
    assert "frail  seed 1  failed  00:00  RuntimeError: the disk is on fire" in result.stdout
    assert result.stderr == "seedwise: 1 run failed; `seedwise status study.db` says why\n"
    status = call("status", here / "study.db")
    assert status.exit_code == 0
    assert "frail seed 1 failed: Traceback" in status.stdout
    assert "RuntimeError: the disk is on fire" in status.stdout
    again = call("run", toml)
    assert "1 setup, 3 runs: 2 stored, 1 to make" in again.stdout


def test_status_names_the_seeds_that_a_setup_lacks(here, toml, module, study):
    toml.write_text(f'seeds = 5\n[setups.good]\ntrain = "{module}:good"')
    call("run", toml)
    result = call("status", study)
    assert result.exit_code == 0
    assert "poor lacks seeds that another setup has: 3, 4" in result.stdout
    assert "by seedwise 0." in result.stdout


@pytest.fixture
def stopping(here, module):
    toml = here / "study.toml"
    rule = "[stop]\ndifference = 0.05\nmax_runs = 8"
    setups = "".join(f'[setups.{name}]\ntrain = "{module}:{name}"\n' for name in ("good", "poor"))
    toml.write_text(f"{setups}{rule}")
    return toml


def test_a_study_stops_by_its_rule_and_says_what_was_decided(stopping):
    result = call("run", stopping)
    assert result.exit_code == 0
    assert "2 setups, at most 16 runs: 0 stored, at most 16 to make" in result.stdout
    assert "poor - good: " in result.stdout
    assert "poor is worse than good, after " in result.stdout
    assert "; matched accuracy -" in result.stdout
    assert "The rule was fixed before the first run: 5 % false alarms" in result.stdout
    assert max(map(len, result.stdout.split("sd: ")[1].splitlines())) <= 100
    again = call("run", stopping)
    assert "at most 0 to make" in again.stdout
    assert again.stdout.splitlines()[-6:] == result.stdout.splitlines()[-6:]


def test_a_stopped_study_goes_on_by_hand_and_its_verdict_stays(stopping):
    first, result = call("run", stopping), call("run", stopping, "--seeds", "0:7")
    assert result.exit_code == 0
    said = [" ".join(each.stdout.split()) for each in (first, result)]
    verdict = re.search(r"poor is worse than good, after .*?\(.*?\)", said[0])
    assert verdict is not None
    assert verdict[0] in said[1]


def test_another_rule_than_the_first_is_refused_on_one_line(stopping):
    call("run", stopping)
    stopping.write_text(stopping.read_text().replace("0.05", "0.01"))
    line = one_line(call("run", stopping))
    assert "another stopping rule: difference 0.05 there, 0.01 here; what it promises" in line


def test_one_setup_alone_cannot_be_stopped_by_a_rule(here, module):
    toml = here / "study.toml"
    toml.write_text(f'[setups.good]\ntrain = "{module}:good"\n[stop]\ndifference = 0.01')
    assert "needs two setups or more" in one_line(call("run", toml))


def test_a_setup_that_always_fails_ends_a_study_with_a_rule_at_once(here, module):
    toml = here / "study.toml"
    toml.write_text(
        f'[setups.good]\ntrain = "{module}:good"\n[setups.some]\ntrain = "{module}:never"\n'
        "[stop]\ndifference = 0.01"
    )
    result = call("run", toml)
    assert result.exit_code == 2
    assert "some failed 2 times without a result, and is not tried again" in result.stderr


def test_ctrl_c_says_that_nothing_is_lost(toml, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Study, "run", interrupted)
    result = call("run", toml)
    assert result.exit_code == 130
    assert result.stderr.strip() == (
        "seedwise: stopped; stored runs are kept, and the same command continues"
    )


@pytest.mark.parametrize(
    ("end", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_study_that_is_ended_keeps_its_runs_and_goes_on(here, module, end, code):
    toml = here / "study.toml"
    toml.write_text(f'seeds = 6\n[setups.a]\ntrain = "{module}:held_up"')
    gate = here / "gate"
    os.mkfifo(gate)
    words = [sys.executable, "-m", "seedwise", "run", str(toml)]
    program = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert "6 to make" in program.stdout.readline()
    assert "seed 0  finished" in program.stdout.readline()
    assert "seed 1  finished" in program.stdout.readline()
    program.send_signal(end)
    out, err = program.communicate(timeout=120)
    assert program.returncode == code
    assert "Traceback" not in err
    assert "finished" not in out
    gate.unlink()
    gate.touch()
    again = call("run", toml)
    assert "1 setup, 6 runs: 2 stored, 4 to make" in again.stdout
    assert again.exit_code == 0


def test_export_has_a_line_for_each_run_with_every_metric(here, study):
    result = call("export", study)
    assert result.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 6
    assert {row["setup"] for row in rows} == {"good", "poor"}
    assert {row["init"] for row in rows} == {"0", "1", "2"}
    with Store.open(study, readonly=True) as store:
        dataset = store.dataset()
        assert dataset is not None
        for row, run in zip(rows, store.runs(), strict=True):
            logits = store.logits([run.id])[0]
            assert row["setup"] == run.setup
            assert float(row["seconds"]) == run.seconds
            for metric in ("accuracy", "smoothed_accuracy", "cross_entropy"):
                wanted = stats.METRICS[metric](logits, dataset.targets)
                assert math.isclose(float(row[metric]), float(np.squeeze(wanted)), rel_tol=1e-6)
    assert call("export", study, "-o", here / "runs.csv").exit_code == 0
    assert (here / "runs.csv").read_text() == result.stdout


def test_export_keeps_plain_metrics_and_failed_runs(here, module):
    toml = here / "study.toml"
    toml.write_text(
        f'seeds = 2\n[setups.plain]\ntrain = "{module}:numbers"\n'
        f'[setups.frail]\ntrain = "{module}:sometimes"'
    )
    call("run", toml)
    rows = list(csv.DictReader(io.StringIO(call("export", here / "study.db").stdout)))
    plain = [row for row in rows if row["setup"] == "plain"]
    assert [float(row["f1"]) for row in plain] == [0.5, 0.6]
    assert [row["accuracy"] for row in plain] == ["", ""]
    failed = [row for row in rows if row["state"] == "failed"]
    assert failed
    assert all("the disk is on fire" in row["error"] and row["f1"] == "" for row in failed)


def test_a_file_that_cannot_be_written_is_one_line(study, here):
    message = one_line(call("export", study, "-o", here / "nowhere" / "runs.csv"))
    assert message.endswith("nowhere/runs.csv: No such file or directory")


def test_a_reader_that_goes_away_is_no_fault(study):
    pipe = f"{sys.executable} -m seedwise export {study} | true"
    done = subprocess.run(pipe, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_demo_has_every_option_that_a_study_is_run_with(here, monkeypatch):
    module = sys.modules["seedwise.cli.demo"]
    run = create_autospec(module.run_study)
    monkeypatch.setattr(module, "run_study", run)
    assert call("demo", "--jobs", "2", "--devices", "1").exit_code == 0
    assert run.call_args.kwargs["devices"] == 1


def test_the_demo_writes_a_study_that_can_be_read(here):
    (here / "demo.toml").write_text(DEMO)
    config = load_study(here / "demo.toml")
    assert config.dataset == "digits"
    assert len(config.setups) == 2
    assert config.seeds is not None
    assert len(config.seeds) == 5
    mish, relu = config.setups.values()
    assert mish.differences(relu) == {"activation": ("mish", "relu")}


@pytest.mark.slow
def test_the_demo_ends_with_a_comparison(here):
    done = subprocess.run(
        [sys.executable, "-m", "seedwise", "demo"], capture_output=True, text=True, check=True
    )
    assert "10 runs stored" in done.stdout
    assert "5 pairs of runs" in done.stdout
    assert (here / "demo.db").exists()


@pytest.fixture
def images(here):
    """Twelve small images of two classes."""
    for name in ("cat", "dog"):
        folder = here / "pets" / name
        folder.mkdir(parents=True)
        for i in range(6):
            level = np.full((12, 10, 3), 20 * i + (100 if name == "dog" else 0), np.uint8)
            Image.fromarray(level).save(folder / f"{i}.png")
    return here / "pets"


def test_data_list_names_every_dataset():
    result = call("data", "list")
    assert result.exit_code == 0
    for name in ("imagenette-160", "imagewoof", "cifar10", "digits"):
        assert name in result.stdout


def test_data_show_counts_the_images_of_each_class(images, here):
    split = ("--per-class", 2, "--seed", 0)
    result = call("data", "show", images, *split, "--cache", here / "cache")
    assert result.exit_code == 0, result.output
    assert (
        "12 images of 2 classes; split 2 per class, seed 0: 8 train, 4 validate" in result.stdout
    )
    assert "12 to 12 px high, 10 to 10 px wide" in result.stdout
    assert ["cat", "4", "2"] in [line.split() for line in result.stdout.splitlines()]


def test_data_split_lists_or_writes_the_same_files(images, here, monkeypatch):
    monkeypatch.setenv("SEEDWISE_CACHE", str(here / "cache"))
    split = ("--per-class", 2, "--seed", 0)
    listed = call("data", "split", images, *split)
    assert listed.exit_code == 0
    written = call("data", "split", images, *split, "--write", here / "new")
    assert written.exit_code == 0
    assert written.stdout.endswith("new: 8 in train, 4 in val\n")
    found = sorted(f"{file.parent.name}/{file.name}" for file in (here / "new/val").glob("*/*"))
    assert found == listed.stdout.split()
    full = one_line(call("data", "split", images, *split, "--write", here / "new"))
    assert "new is not empty" in full


def test_data_check_tells_a_cache_that_changed(images, here):
    (images / "val").mkdir()
    (images / "cat").rename(images / "val" / "cat")
    (images / "dog").rename(images / "val" / "dog")
    (images / "train").mkdir()
    for name in ("cat", "dog"):
        (images / "train" / name).mkdir()
        (images / "val" / name / "0.png").rename(images / "train" / name / "a.png")
    cache = here / "cache"
    good = call("data", "check", images, "--cache", cache)
    assert good.exit_code == 0, good.output
    assert "every image was read again and is as cached" in good.stdout
    (pixels,) = cache.glob("pixels/*/pixels.u8")
    content = bytearray(pixels.read_bytes())
    content[100] ^= 255
    pixels.write_bytes(content)
    bad = call("data", "check", images, "--cache", cache)
    assert bad.exit_code == 2
    assert "is damaged: the pixels of 1 of 12 images" in bad.stderr
    assert bad.stderr.count("\n") == 1


def test_data_fetch_makes_the_cache(here):
    if importlib.util.find_spec("sklearn") is None:
        pytest.skip("needs scikit-learn's digits")
    result = call("data", "fetch", "digits", "--cache", here / "cache")
    assert result.exit_code == 0, result.output
    assert "decoding images: 1,797 of 1,797" in result.stdout
    assert "1,797 images of 10 classes" in result.stdout
    assert "decoding" not in call("data", "fetch", "digits", "--cache", here / "cache").stdout


def test_an_option_of_a_verdict_is_a_field_of_the_rule_and_an_argument_in_python():
    """The walk of docs/contributing.md: three places, and no fourth."""
    named = {field.name for field in dataclasses.fields(Rule)}
    given = click.command(options_module.verdict(lambda **said: None))
    assert {param.name for param in given.params} == named
    for judge in (Study.compare, Study.compare_several):
        arguments = set(inspect.signature(judge).parameters)
        assert arguments - {"self", "a", "b", "setups", "against", "correction"} == named - {
            "over"
        }  # of suites
