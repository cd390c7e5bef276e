import importlib
import subprocess
import sys
from functools import partial, wraps

import pytest

from helpers import trainings
from seedwise.errors import ConfigError
from seedwise.executors.functions import as_setups, code_of, only_here
from seedwise.setups import ELSEWHERE, Setup
from seedwise.store import Store

FILE = """
LR = 0.1
NAME = "cpu"
TABLE = {"a": 1}


class Model:
    def predict(self):
        return 1


def helper():
    return 1


def unused():
    return 1


def train(seed, momentum=0.9):
    \"\"\"Trains.\"\"\"
    # as well as it can
    def inner():
        return helper() * LR
    return inner() + Model().predict() + len(NAME) + TABLE["a"]
"""


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """The function `train` of a file with this text, each time from a new module."""
    monkeypatch.syspath_prepend(tmp_path)
    count = 0

    def load(text):
        nonlocal count
        count += 1
        name = f"own{count}"
        (tmp_path / f"{name}.py").write_text(text)
        return importlib.import_module(name).train

    yield load
    for number in range(count):
        del sys.modules[f"own{number + 1}"]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("inner() +", "inner() -"),
        ("momentum=0.9", "momentum=0.95"),
        ("helper() * LR", "LR"),
        ("def helper():\n    return 1", "def helper():\n    return 2"),
        ("def predict(self):\n        return 1", "def predict(self):\n        return 2"),
        ("LR = 0.1", "LR = 0.2"),
    ],
)
def test_changed_code_has_another_digest(loaded, was, now):
    assert was in FILE
    assert code_of(loaded(FILE)) != code_of(loaded(FILE.replace(was, now)))


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("# as well as it can", "# as badly as it can"),
        ("Trains.", "Trains well."),
        ("inner() + Model", "inner() +  Model"),
        ("def unused():\n    return 1", "def unused():\n    return 2"),
    ],
)
def test_what_changes_nothing_leaves_the_digest_alone(loaded, was, now):
    assert was in FILE
    assert code_of(loaded(FILE)) == code_of(loaded(FILE.replace(was, now)))


@pytest.mark.parametrize(
    ("was", "now"), [('NAME = "cpu"', 'NAME = "cuda"'), ('{"a": 1}', '{"a": 2}')]
)
def test_what_the_digest_does_not_see_is_known(loaded, was, now):
    """As the documentation says: text and other objects of the module."""
    assert code_of(loaded(FILE)) == code_of(loaded(FILE.replace(was, now)))


def test_arguments_that_are_bound_or_closed_over_belong_to_the_setup():
    def train(seed, lr):
        return lr

    def closes_over(lr):
        return lambda seed: lr

    digests = {
        code_of(each)
        for each in (
            partial(train, lr=0.1),
            partial(train, lr=0.2),
            closes_over(0.1),
            closes_over(0.2),
            lambda seed: train(seed, 0.1),
            lambda seed: train(seed, 0.2),
        )
    }
    assert len(digests) == 6
    assert code_of(closes_over(0.1)) == code_of(closes_over(0.1))


def test_a_class_without_source_is_told_by_its_methods():
    namespaces = [{"__name__": "__main__"} for _ in range(3)]
    texts = (FILE, FILE, FILE.replace("return 1", "return 2"))
    for namespace, text in zip(namespaces, texts, strict=True):
        exec(text, namespace)
    first, again, other = (code_of(namespace["train"]) for namespace in namespaces)
    assert first == again != other


class Trainer:
    def __init__(self, lr):
        self.lr = lr

    def __call__(self, seed):
        return self.lr


def test_an_object_that_can_be_called_is_told_by_its_class_and_its_values():
    assert code_of(Trainer(0.1)) == code_of(Trainer(0.1)) != code_of(Trainer(0.2))
    assert as_setups({"a": Trainer(0.1)})["a"].train == f"{__name__}:Trainer"


def test_functions_that_call_each_other_have_a_digest():
    def a(seed):
        return b(seed)

    def b(seed):
        return a(seed)

    assert len(code_of(a)) == 12


def test_a_decorated_function_is_told_by_what_is_inside():
    def decorate(function):
        @wraps(function)
        def wrapped(seed):
            return function(seed)

        return wrapped

    assert code_of(decorate(trainings.plain)) == code_of(trainings.plain)
    assert code_of(decorate(trainings.better)) != code_of(trainings.plain)


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
