"""Output of `Study.run` where nobody else watches it."""

import io
import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

import seedwise
from helpers import trainings
from seedwise.live.events import Planned
from seedwise.setups import Setup
from seedwise.store import Store
from seedwise.study import Study


def works(seed):
    return 0.5 + int(seed) / 100


def fails_on_odd_seeds(seed):
    return {}["lr"] if int(seed) % 2 else 0.5


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path / "s.db")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_into_a_file_nothing_is_shown_unless_it_is_asked_for(study, capsys):
    study.run({"a": works}, seeds=2)
    assert capsys.readouterr() == ("", "")
    study.run({"a": works}, seeds=3, progress=True)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("1 setup, 3 runs: 2 stored, 1 to make, about 00:0")
    assert last.startswith("1 run stored in 00:0")


def test_on_a_terminal_a_call_shows_what_the_command_line_shows(study, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    study.run({"a": works, "b": fails_on_odd_seeds}, seeds=2)
    shown = sys.stdout.getvalue()
    for said in ("2 setups, 4 runs: 0 stored, 4 to make", "a  seed 1  finished", "KeyError: 'lr'"):
        assert said in shown
    sys.stdout.truncate(0)
    with pytest.warns(UserWarning, match="1 try failed"):
        study.run({"a": works, "b": fails_on_odd_seeds}, seeds=2, progress=False)
    assert sys.stdout.getvalue().strip("\0") == ""


def test_a_notebook_shows_the_picture_below_its_cell(study, monkeypatch):
    shown = []
    handle = SimpleNamespace(update=lambda content, raw: shown.append(content))

    def display(content, *, raw, display_id):
        shown.append(content)
        return handle

    module = ModuleType("IPython.display")
    monkeypatch.setattr(module, "display", display, raising=False)
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    study.run({"<a>": works}, seeds=2)
    assert "&lt;a&gt;" in shown[-2]["text/html"] or "&lt;a&gt;" in shown[1]["text/html"]
    assert "1 setup, 2 runs: 0 stored, 2 to make" in shown[1]["text/plain"]
    assert "2 runs stored in 00:0" in shown[-1]["text/plain"]
    assert "<a>" not in "".join(content["text/html"] for content in shown)


SCRIPT = """
import seedwise
def train(seed):
    if int(seed) == 2:
        raise KeyboardInterrupt
    return 0.5
seedwise.Study("s.db").run({"a": train}, seeds=5, progress=True)
"""


def test_ctrl_c_ends_with_one_line(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    src = os.path.dirname(os.path.dirname(seedwise.__file__))  # noqa: PTH120
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": src},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == "seedwise: stopped; stored runs are kept, and the same call continues\n"
    assert done.returncode in (-2, 130)  # as ever: whoever called knows that it was Ctrl-C
    assert Study(tmp_path / "s.db").summary().setups[0].finished == 2


def planned_by(call):
    told = []
    call(told.append)
    return next(event for event in told if isinstance(event, Planned))


def test_how_long_runs_may_take_is_told_by_those_that_are_stored(study):
    setups = {"a": trainings.number, "b": trainings.number}
    first = planned_by(lambda tell: study.run({"a": trainings.number}, seeds=2, watch=tell))
    assert first.seconds is None
    with Store.open(study.path, readonly=True) as store:
        took = sum(run.seconds for run in store.runs()) / 2
    later = planned_by(lambda tell: study.run(setups, seeds=4, watch=tell))
    assert (later.missing, later.seconds) == (6, pytest.approx(6 * took))


def test_null_comparisons_say_how_many_runs_and_how_long_by_the_runs_of_the_study(study):
    train = "helpers.trainings:number"
    study.run({"a": Setup(train=train)}, seeds=2)
    with Store.open(study.path, readonly=True) as store:
        took = sum(run.seconds for run in store.runs()) / 2
    told = planned_by(
        lambda tell: study.null_comparisons("a", comparisons=2, runs=3, train=train, watch=tell)
    )
    assert (told.missing, told.seconds) == (6, pytest.approx(6 * took))
