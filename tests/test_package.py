import subprocess
import sys
import tomllib
from importlib.metadata import version
from importlib.resources import files
from keyword import iskeyword
from pathlib import Path

import pytest

import seedwise
from seedwise import comparison, study
from seedwise.cli import cli


def test_public_names_are_listed_and_real():
    assert dir(seedwise) == sorted(seedwise.__all__)
    assert all(hasattr(seedwise, name) for name in seedwise.__all__)


def test_what_a_study_takes_is_at_hand():
    assert seedwise.Rule is comparison.Rule
    assert seedwise.LocalExecutor is study.LocalExecutor
    assert seedwise.RayExecutor is study.RayExecutor


def test_type_checkers_are_told_of_our_types():
    assert (files("seedwise") / "py.typed").is_file()


def loaded_by(code):
    names = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(names.stdout.split())


@pytest.mark.parametrize("heavy", ["torch", "numpy", "scipy", "numba", "PIL", "sqlite3", "rich"])
def test_importing_the_package_loads_nothing_heavy(heavy):
    assert heavy not in loaded_by("import seedwise")


def test_a_command_is_in_the_module_of_its_name():
    for name, command in cli.commands.items():
        assert command.callback.__module__ == f"seedwise.cli.{name}{'_' * iskeyword(name)}"


def test_a_stored_study_is_read_without_torch():
    loaded = loaded_by("import seedwise.comparison, seedwise.store, seedwise.stats")
    assert not loaded & {"torch", "numba", "PIL"}


def test_the_version_is_that_of_the_installed_package():
    assert seedwise.__version__ == version("seedwise")
    table = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert seedwise.__version__ == table["project"]["version"]


BASE_ONLY = """
import sys
class Absent:
    names = {"torch", "numba", "PIL", "simplejpeg", "pooch", "requests", "platformdirs", "sklearn"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
sys.path.insert(0, "tests")
"""


def test_a_study_of_ones_own_function_needs_the_base_only(tmp_path):
    code = f"""{BASE_ONLY}
from seedwise import Setup, Study
study = Study({str(tmp_path / "s.db")!r})
names = {{"a": "plain", "b": "better"}}
study.run({{a: Setup(train=f"helpers.trainings:{{name}}") for a, name in names.items()}}, seeds=3)
print(study.compare("a", "b").deciding.difference.n_a)
"""
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout == "3\n", done.stderr


def test_what_is_missing_for_training_is_said_with_the_command_that_installs_it():
    code = f"{BASE_ONLY}\nimport seedwise.data\nseedwise.data.open_data"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'seedwise[train]'" in done.stderr


def test_global_generators_are_touched_in_one_place_for_the_code_of_users():
    package = Path(seedwise.__file__).parent
    words = ("manual_seed", "np.random.seed", "random.seed(")
    found = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if any(word in file.read_text() for word in words)
    }
    assert found == {"seeds.py"}


def test_help_has_a_short_form_everywhere():
    from click.testing import CliRunner

    from seedwise.cli import cli

    for words in (["-h"], ["compare", "-h"]):
        result = CliRunner().invoke(cli, words)
        assert (result.exit_code, result.output[:6]) == (0, "Usage:")
