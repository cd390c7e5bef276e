import subprocess
import sys
from functools import partial

import pytest

from helpers import trainings
from seedwise.errors import ConfigError
from seedwise.executors.functions import as_setups, only_here
from seedwise.setups import ELSEWHERE, Setup
from seedwise.store import Store


class Trainer:
    def __init__(self, lr):
        self.lr = lr

    def __call__(self, seed):
        return self.lr


def test_only_functions_of_modules_can_be_loaded_elsewhere():
    def local(seed):
        return 1.0

    given = {
        "module": trainings.plain,
        "local": local,
        "lambda": lambda seed: 1.0,
        "partial": partial(trainings.plain),
        "object": Trainer(0.1),
    }
    assert only_here(given) == ("local", "lambda", "partial", "object")
    names = {name: setup.train for name, setup in as_setups(given).items()}
    assert names["module"] == names["partial"] == "helpers.trainings:plain"
    assert names["lambda"].endswith(".<lambda>")
    assert names["object"] == f"{__name__}:Trainer"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "must be a Setup or a function of one argument, the run's seed; got 3"),
        (lambda: 1.0, r"must take one argument, the run's seed; it takes \(\)"),
        (lambda a, b: 1.0, r"it takes \(a, b\)"),
        (Setup(train=ELSEWHERE), "is trained elsewhere"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(value, message):
    with pytest.raises(ConfigError, match=f"setup 'mine' .*{message}"):
        as_setups({"mine": value})


SCRIPT = """
import seedwise
print("runs")
def train(seed):
    return float(int(seed))
study = seedwise.Study("s.db")
{guard}print(study.run({{"mine": train}}, seeds=2, jobs={jobs}).setups[0].finished)
"""


def run_script(folder, **parts):
    (folder / "script.py").write_text(SCRIPT.format(**parts))
    return subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True
    )


def test_a_script_is_run_once_where_its_functions_run_in_its_process(tmp_path):
    assert run_script(tmp_path, guard="", jobs=None).stdout.split() == ["runs", "2"]


def test_processes_import_a_script_whose_study_is_guarded_and_refuse_another(tmp_path):
    done = run_script(tmp_path, guard="if __name__ == '__main__': ", jobs=2)
    assert done.stdout.split()[-1] == "2", done.stderr
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert store.setups()["mine"].train == "script:train"
    (tmp_path / "s.db").unlink()
    done = run_script(tmp_path, guard="", jobs=2)
    assert "put what runs the study under `if __name__ == '__main__':`" in done.stderr
