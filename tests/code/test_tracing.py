import importlib
import linecache
import subprocess
import sys
from functools import lru_cache, partial, wraps
from importlib import metadata

import numpy as np
import pytest

from helpers import trainings
from helpers.effort import effort
from seedwise.code import values
from seedwise.code.difference import changes
from seedwise.code.source import package_version
from seedwise.code.tracing import code_of

MODELS = '''
import random

import lib.layers
from lib.optim import make as make_optimizer
from plots import draw

LR = 0.1
NAME = "adam"
TABLE = {"a": 1, "b": [2, 3]}
SPLIT = make_split = None
UNUSED = 1
CACHE = {}


def split(seed):
    return list(range(seed))


SPLIT = split(7)


class Base:
    def bias(self):
        return 1


class Model(Base):
    width = 3

    @property
    def depth(self):
        return 2

    def predict(self):
        return self.bias() * self.width * self.depth


def helper():
    return 1


def unused():
    return 1


def train(seed, momentum=0.9):
    """Trains."""
    # as well as it can
    def inner():
        return helper() * LR
    CACHE[int(seed)] = 1
    return inner() + Model().predict() + len(NAME) + TABLE["a"] + sum(SPLIT) + (
        lib.layers.SIZE + make_optimizer()
    )


def show():
    draw()
'''
PROJECT = {
    "models.py": MODELS,
    "plots.py": "def draw():\n    return 1\n",
    "lib/__init__.py": "VERSION = 1\n",
    "lib/layers.py": "from . import sizes\nSIZE = sizes.SMALL\n",
    "lib/sizes.py": "SMALL = 3\n",
    "lib/optim.py": "from lib import rates\n\ndef make():\n    return rates.BASE\n",
    "lib/rates.py": "BASE = 1\n",
}


@pytest.fixture
def traced(tmp_path, monkeypatch):
    """The code of `models.train` in a project of these files, each time in another folder."""
    count = 0

    def traced(files=PROJECT, **changes):
        nonlocal count
        count += 1
        folder = tmp_path / str(count)
        for name, text in {**files, **changes}.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        ours = [n for n in sys.modules if n.partition(".")[0] in ("models", "plots", "lib")]
        for name in ours:
            del sys.modules[name]
        linecache.clearcache()
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            return code_of(importlib.import_module("models").train)

    yield traced
    for name in [n for n in sys.modules if n.partition(".")[0] in ("models", "plots", "lib")]:
        del sys.modules[name]


def replaced(was, now, file="models.py"):
    assert was in PROJECT[file]
    return {**PROJECT, file: PROJECT[file].replace(was, now)}


@pytest.mark.parametrize(
    ("file", "was", "now", "told"),
    [
        ("models.py", "inner() +", "inner() -", "models.train"),
        ("models.py", "momentum=0.9", "momentum=0.95", "models.train"),
        ("models.py", "LR = 0.1", "LR = 0.2", "models.LR"),
        ("models.py", '"adam"', '"sgd"', "models.NAME"),
        ("models.py", "[2, 3]", "[2, 4]", "models.TABLE"),
        ("models.py", "split(7)", "split(8)", "models.SPLIT"),
        ("models.py", "range(seed)", "range(seed + 1)", "models.split"),
        (
            "models.py",
            "def helper():\n    return 1",
            "def helper():\n    return 2",
            "models.helper",
        ),
        (
            "models.py",
            "def bias(self):\n        return 1",
            "def bias(self):\n        return 2",
            "models.Base",
        ),
        ("models.py", "return 2", "return 3", "models.Model"),
        ("models.py", "width = 3", "width = 4", "models.Model"),
        ("lib/layers.py", "SIZE = sizes.SMALL", "SIZE = sizes.SMALL + 1", "lib/layers.py"),
        ("lib/sizes.py", "3", "4", "lib/sizes.py"),
        ("lib/rates.py", "1", "2", "lib/rates.py"),
        ("lib/__init__.py", "1", "2", "lib.py"),
    ],
)
def test_what_a_training_runs_is_found_wherever_it_stands(traced, file, was, now, told):
    found = changes(traced(), traced(replaced(was, now, file)))
    assert told in [change.name for change in found]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("# as well as it can", "# as badly as it can"),
        ("Trains.", "Trains well."),
        ("inner() + Model", "inner() +  Model"),
        ("def unused():\n    return 1", "def unused():\n    return 2"),
        ("UNUSED = 1", "UNUSED = 2"),
        ("def show():", "def show(more=1):"),
        ("\n", "\r\n"),
    ],
)
def test_what_a_training_does_not_run_changes_nothing(traced, was, now):
    assert changes(traced(), traced(replaced(was, now))) == []


def test_a_comment_or_a_docstring_in_another_file_changes_nothing(traced):
    now = traced(replaced("BASE = 1", '"""Rates."""\n\n\nBASE  =  1  # as ever', "lib/rates.py"))
    assert changes(traced(), now) == []
    assert traced().digest != now.digest


def test_a_module_that_only_the_rest_of_the_file_uses_is_not_the_trainings(traced):
    assert changes(traced(), traced(replaced("return 1", "return 2", "plots.py"))) == []


def test_a_module_that_is_imported_for_what_it_does_counts(traced):
    files = {**PROJECT, "models.py": f"import lib.rates\nimport plots as _\n{MODELS}"}
    other = {**files, "plots.py": "def draw():\n    return 2\n"}
    assert [change.name for change in changes(traced(files), traced(other))] == ["plots.py"]


def test_a_change_is_shown_as_the_lines_that_differ(traced):
    (found,) = changes(traced(), traced(replaced("LR = 0.1", "LR = 0.2")))
    assert (found.name, found.lines) == ("models.LR", ("-LR = 0.1", "+LR = 0.2"))


def test_an_array_read_from_a_file_counts_by_what_it_holds_and_that_is_said(traced, tmp_path):
    def with_array(values):
        np.save(tmp_path / "split.npy", np.array(values))
        text = f"import numpy as np\nROWS = np.load({str(tmp_path / 'split.npy')!r})\n"
        return traced({"models.py": text + "def train(seed):\n    return ROWS.sum()\n"})

    was = with_array([1, 2])
    assert changes(was, with_array([1, 2])) == []
    (found,) = changes(was, with_array([1, 3]))
    assert found.name == "models.ROWS"
    assert "random draw at import without a seed" in found.lines[1]


def test_a_random_array_drawn_at_import_is_told_and_not_taken_for_the_same(traced):
    files = {
        "models.py": "import numpy as np\nROWS = np.random.default_rng().normal(size=3)\n"
        "def train(seed):\n    return ROWS.sum()\n"
    }
    (found,) = changes(traced(files), traced(files))
    assert "random draw at import without a seed" in found.lines[1]


@pytest.mark.parametrize(
    "text",
    [
        "import time\nSTART = time.time()",
        "import os\nSTART = os.getpid()",
        "import uuid\nSTART = uuid.uuid4().hex",
        "START = object()",
        "START = []\ndef more():\n    START.append(1)",
        "import pathlib\nSTART = pathlib.Path(__file__).parent / 'data'",
        "import os.path\nSTART = os.path.dirname(os.path.abspath(__file__)) + '/data'",
        "START = {'b', 'a', 'c', 'd'}",
        "import logging\nSTART = logging.getLogger('a')",
        "START = 0\ndef count():\n    global START\n    START += 1",
    ],
)
def test_nothing_that_changes_by_itself_tells_two_processes_apart(tmp_path, text):
    """The same files in two folders, in two processes with other hashes of strings."""
    digests = set[str]()
    body = "def train(seed):\n    return START\n" + (
        "def train(seed):\n    more()\n    return START\n" if "def more" in text else ""
    )
    body = body if "def count" not in text else "def train(seed):\n    count()\n    return START\n"
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        (folder / "models.py").write_text(f"{text}\n{body}")
        program = (
            "from seedwise.code.tracing import code_of; import models; "
            "print(code_of(models.train).digest)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={"PYTHONPATH": ":".join([str(folder), *sys.path]), "PYTHONHASHSEED": number},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1


def test_installed_packages_count_by_their_version(traced, monkeypatch):
    files = {"models.py": "import numpy as np\ndef train(seed):\n    return np.mean([1])\n"}
    was = traced(files)
    monkeypatch.setattr("seedwise.code.tracing.package_version", lambda name: "0.0")
    (found,) = changes(was, traced(files))
    assert found.name == "package numpy"
    assert found.lines == (f"{np.__version__}, now 0.0",)


@pytest.mark.parametrize(
    ("module", "package"),
    [("jinja2", "jinja2"), ("dateutil", "python-dateutil"), ("PIL", "pillow")],
)
def test_the_package_of_a_module_is_found_by_its_files(module, package):
    pytest.importorskip(module)
    assert package_version(f"{module}.more") == metadata.version(package).partition("+")[0]


def test_arguments_that_are_bound_or_closed_over_belong_to_the_code():
    def train(seed, lr):
        return lr

    def closes_over(lr):
        return lambda seed: lr

    digests = {
        code_of(each).digest
        for each in (
            partial(train, lr=0.1),
            partial(train, lr=0.2),
            partial(partial(train, lr=0.2), lr=0.3),
            closes_over(0.1),
            closes_over(0.2),
            closes_over(np.arange(3)),
            closes_over(np.arange(4)),
            lambda seed: train(seed, 0.1),
            lambda seed: train(seed, 0.2),
        )
    }
    assert len(digests) == 9
    assert code_of(closes_over(0.1)).digest == code_of(closes_over(0.1)).digest


def test_of_two_lambdas_on_one_line_each_is_its_own():
    one, two = (lambda seed: 1.0), (lambda seed: 2.0)
    (was,), (now,) = (code_of(each).texts.values() for each in (one, two))
    assert (was, now) == ("lambda seed: 1.0", "lambda seed: 2.0")


class Trainer:
    def __init__(self, lr):
        self.lr = lr

    def __call__(self, seed):
        return self.lr

    def fit(self, seed):
        return self.lr + 1


def test_an_object_and_its_methods_are_told_by_their_class_and_their_values():
    digests = [code_of(Trainer(lr)).digest for lr in (0.1, 0.1, 0.2)]
    assert digests[0] == digests[1] != digests[2]
    methods = [code_of(Trainer(lr).fit).digest for lr in (0.1, 0.1, 0.2)]
    assert methods[0] == methods[1] != methods[2]
    (found,) = changes(code_of(Trainer(0.1)), code_of(Trainer(0.2)))
    assert (found.name, found.lines) == ("self.lr", ("0.1, now 0.2",))


def test_a_notebooks_functions_are_told_by_their_cells():
    """Cells have no file, and their classes no source: as they are to exec, without linecache."""
    texts = (
        "LR = 0.1\nclass Model:\n    def go(self):\n        return LR\n"
        "def train(seed):\n    return Model().go()\n"
    )
    namespaces = [{"__name__": "__main__"} for _ in range(4)]
    changed = texts.replace("return LR", "return LR + 1"), texts.replace("0.1", "0.2")
    for namespace, text in zip(namespaces, (texts, texts, *changed), strict=True):
        exec(text, namespace)
    codes = [code_of(namespace["train"]) for namespace in namespaces]
    assert changes(codes[0], codes[1]) == []
    assert changes(codes[0], codes[2])
    (found,) = changes(codes[0], codes[3])
    assert found.name.endswith("__main__.LR")


def test_estimators_count_by_their_settings_and_networks_by_their_weights():
    linear = pytest.importorskip("sklearn.linear_model")
    torch = pytest.importorskip("torch")

    def train(seed, model):
        return model

    made = [code_of(partial(train, model=linear.Ridge(alpha=a))).digest for a in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    network = torch.nn.Sequential(torch.nn.Linear(3, 2))
    was = code_of(partial(train, model=network))
    assert code_of(partial(train, model=network)).digest == was.digest
    torch.nn.init.zeros_(network[0].weight)
    assert changes(was, code_of(partial(train, model=network)))


class Rude:
    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


def test_objects_that_raise_when_they_are_looked_at_or_hold_themselves_are_told_by_their_type():
    loop = [Rude()]
    loop.append(loop)

    def train(seed):
        return loop

    assert code_of(train).digest == code_of(train).digest
    assert code_of(Rude().__getattr__).parts


def test_functions_that_call_each_other_are_followed_once():
    def a(seed):
        return b(seed)

    def b(seed):
        return a(seed)

    assert len(code_of(a).parts) == 2


def test_what_a_decorator_wraps_is_followed():
    def decorate(function):
        @wraps(function)
        def wrapped(seed):
            return function(seed)

        return wrapped

    assert code_of(decorate(trainings.plain)).digest == code_of(decorate(trainings.plain)).digest
    assert changes(code_of(decorate(trainings.better)), code_of(decorate(trainings.plain)))
    assert changes(code_of(lru_cache(trainings.better)), code_of(lru_cache(trainings.plain)))


def test_a_value_that_runs_change_is_state_from_then_on():
    seen = []

    def train(seed):
        helper(seen)

    def helper(to):
        to.append(1)

    was = code_of(train)
    train(0)
    now = code_of(train)
    assert changes(was, now)
    settled = was.settled(now)
    assert changes(settled, now) == []
    train(0)
    assert changes(settled, code_of(train)) == []


def test_following_a_project_of_thousands_of_lines_takes_milliseconds(traced):
    """2,000 lines in 20 files take one unit, which is 30 ms on an idle core."""
    lines = "".join(f"def f{n}(x):\n    y = x + {n}\n    return y * 2\n\n\n" for n in range(20))
    files = {f"lib/part{n}.py": lines for n in range(20)}
    names = ", ".join(f"part{n}" for n in range(20))
    files["lib/__init__.py"] = ""
    files["models.py"] = f"from lib import {names}\ndef train(seed):\n    return part3.f3(1)\n"
    files["models.py"] += "".join(f"part{n}\n" for n in range(20))
    traced(files)
    function = sys.modules["models"].train
    with effort() as taken:
        assert len(code_of(function).parts) == 22
    assert taken.units < 20


def test_a_large_array_is_looked_at_in_pieces(monkeypatch):
    rows, looked_at, digest = np.zeros(20_000_000, np.float32), [], values._sum

    def counting(head, parts=()):
        return digest(head, (looked_at.append(len(part)) or part for part in parts))

    monkeypatch.setattr(values, "_sum", counting)

    def train(seed):
        return rows[0]

    was = code_of(train)
    assert sum(looked_at) < 65_000_000 < rows.nbytes
    rows[:] = 1
    assert changes(was, code_of(train))


def test_what_may_be_a_secret_is_not_shown(traced):
    text = "import os\nAPI_TOKEN = os.environ['A']\ndef train(seed):\n    return API_TOKEN\n"
    files = {"models.py": text}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A", "hunter2")
        assert "hunter2" not in str(traced(files).to_json())
