"""The plugin of pytest: a pytest of its own is started, as in somebody's project."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import seedwise

ROOT = Path(__file__).parents[1]
ENTRY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]

WITHOUT = [
    f"-pno:{name}" for name in ("xdist", "jaxtyping", "anyio", "hypothesispytest", "platformdirs")
]
"""Other plugins that are here by chance: all but a third of the time that such a pytest takes."""

MODEL = """
SHIFT = {shift}
def base(seed): return {{"accuracy": 0.8 + seed.init % 4 / 1000}}
def change(seed):
    open("made.txt", "a").write("x")
    return {{"accuracy": 0.8 + SHIFT + seed.init * 7 % 5 / 1000}}
"""
TEST = """
import model

def test_quality(seedwise_study):
    seedwise_study.run({{"base": model.base, "change": model.change}}, seeds=6)
    seedwise_study.compare("base", "change", margin=0.02).expect("{claim}")
"""


class Project:
    """A folder with tests in it, where seedwise is installed as far as pytest can see."""

    def __init__(self, folder):
        self.folder = folder / "project"
        self._site = folder / "site"
        info = self._site / "elsewhere-1.dist-info"
        info.mkdir(parents=True)
        self.folder.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1\n")
        lines = "".join(f"{name} = {place}\n" for name, place in ENTRY.items())
        (info / "entry_points.txt").write_text(f"[pytest11]\n{lines}")

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return self

    def test(self, *words):
        source = Path(seedwise.__file__).parents[1]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "--strict-markers", *WITHOUT, *words],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(map(str, (self._site, source, self.folder))),
                "PYTEST_ADDOPTS": "",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )

    @property
    def made(self):
        """Number of runs of the change that were made."""
        file = self.folder / "made.txt"
        return len(file.read_text()) if file.exists() else 0


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path).write("pytest.ini", "[pytest]\n")


def test_runs_are_made_once_and_again_when_code_of_the_project_changes(project):
    project.write("model.py", MODEL.format(shift=0.05))
    project.write("test_it.py", TEST.format(claim="better"))
    first = project.test()
    assert first.returncode == 0, first.stdout
    assert project.made == 6
    assert project.test().returncode == 0
    assert project.made == 6
    # A module that the test only imports: no digest of the function itself knows of it.
    project.write("model.py", MODEL.format(shift=-0.05))
    worse = project.test()
    assert worse.returncode == 1
    assert project.made == 12
    assert "AssertionError: expected change against base: better" in worse.stdout
    assert "change is worse than base: accuracy is " in worse.stdout
    assert "words/comparison.py" not in worse.stdout  # the traceback ends in the test


def test_a_stated_file_is_kept_whatever_changes(project):
    marked = TEST.format(claim="better").replace(
        "def test", "import pytest\n@pytest.mark.seedwise(path='kept/quality.db')\ndef test"
    )
    project.write("model.py", MODEL.format(shift=0.05)).write("test_it.py", marked)
    project.test("-p", "no:cacheprovider")
    assert (project.folder / "kept" / "quality.db").is_file()
    project.write("other.py", "x = 1")
    assert project.test("-p", "no:cacheprovider").returncode == 0
    assert project.made == 6


def test_a_marker_that_names_no_argument_is_refused(project):
    text = "import pytest\n@pytest.mark.seedwise('x.db')\ndef test_it(seedwise_study): pass\n"
    done = project.write("test_it.py", text).test()
    assert (
        "takes arguments by name, got 'x.db'; for a file write seedwise(path=...)" in done.stdout
    )


def test_without_a_cache_the_file_is_in_a_new_folder_and_the_marker_is_handed_on(project):
    text = """
import pytest

@pytest.mark.seedwise(better={"score": "lower"})
def test_it(seedwise_study):
    assert not seedwise_study.path.exists()
    def high(seed): return {"score": 9.0 + seed.init % 3}
    def low(seed): return {"score": 0.5 * seed.init}
    seedwise_study.run({"high": high, "low": low}, seeds=4)
    seedwise_study.compare("high", "low").expect("better")
"""
    done = project.write("test_it.py", text).test("-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert not (project.folder / ".pytest_cache").exists()


def test_who_does_not_use_it_gets_nothing_loaded(project):
    text = """
import sys
def test_it(pytestconfig):
    ours = {name for name in sys.modules if name.startswith("seedwise")}
    assert ours == {"seedwise", "seedwise.adapters", "seedwise.adapters.pytest"}
"""
    done = project.write("test_it.py", text).test()
    assert done.returncode == 0, done.stdout
    assert not list((project.folder / ".pytest_cache").glob("d/seedwise*"))


def test_the_plugin_alone_loads_nothing_but_pytest():
    code = "import sys, pytest; known = set(sys.modules); import seedwise.adapters.pytest; "
    done = subprocess.run(
        [sys.executable, "-c", code + "print(*(set(sys.modules) - known))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "numpy" not in done.stdout
    assert len(done.stdout.split()) < 10
