import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from inspect import signature
from keyword import iskeyword
from pathlib import Path

import numpy as np
import pytest

import seedwise
from seedwise import comparison, shaped, study
from seedwise.cli import cli
from seedwise.stats import matched_accuracy


def test_public_names_are_listed_and_real():
    assert dir(seedwise) == sorted(seedwise.__all__)
    assert all(hasattr(seedwise, name) for name in seedwise.__all__)


def test_what_a_study_takes_is_at_hand():
    assert seedwise.Rule is comparison.Rule
    assert seedwise.LocalExecutor is study.LocalExecutor
    assert seedwise.RayExecutor is study.RayExecutor


def test_type_checkers_are_told_of_our_types():
    assert (files("seedwise") / "py.typed").is_file()


@cache
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


READERS = "seedwise.comparison, seedwise.report, seedwise.study.study, seedwise.study.recording"


def test_what_reads_a_study_loads_the_functions_of_scipy_when_they_are_called():
    """They take 0.35 s and scipy.optimize as long again, of which a run and a record need none."""
    loaded = loaded_by(f"import {READERS}")
    assert not loaded & {"scipy.special", "scipy.optimize", "scipy.stats", "scipy.linalg"}


def test_array_types_in_signatures_load_no_package_for_them():
    """jaxtyping loads unittest and asyncio: 0.1 to 0.2 s of every command."""
    assert not loaded_by(f"import {READERS}") & {"jaxtyping", "unittest", "asyncio"}


def test_array_types_are_shown_as_they_are_written():
    shown = str(signature(matched_accuracy))
    assert "Float[ndarray, '*runs examples classes']" in shown
    assert shaped.Float64[np.ndarray, " runs"] | None  # as in a signature


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


ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("file", ["README.md", "examples/reducing_variance.ipynb"])
def test_links_of_what_is_read_elsewhere_are_whole_and_lead_to_files(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s\"]+)", text)
    assert all(target.startswith("https://") for target in targets), targets
    source = PROJECT["urls"]["Source"]
    assert {url for url in PROJECT["urls"].values() if not url.startswith(source)} == set()
    bases = (
        f"{source}/blob/main/",
        f"{source}/tree/main/",
        f"{source.replace('github', 'raw.githubusercontent')}/main/",
        f"{source.replace('github.com', 'colab.research.google.com/github')}/blob/main/",
    )
    ours = [target for target in targets if "seedwise/" in target]
    assert ours
    for target in ours:
        base = next(base for base in bases if target.startswith(base))
        assert (ROOT / target.removeprefix(base)).exists(), target


def test_the_readme_says_how_to_install():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install seedwise" in text
    assert "uvx seedwise" in text


def instructions():
    """Instructions of the Dockerfile: word and rest, lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def test_the_dockerfile_builds_the_image_of_the_cluster_page():
    found = instructions()
    assert {word for word, _ in found} <= {"FROM", "RUN", "WORKDIR", "COPY", "CMD"}
    assert found[0][0] == "FROM"
    python = re.fullmatch(r"python:(3\.\d+)-slim", found[0][1])
    assert python is not None
    assert f"Programming Language :: Python :: {python[1]}" in PROJECT["classifiers"]
    copied = [name for word, rest in found if word == "COPY" for name in rest.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    needed = ["pyproject.toml", "constraints.txt", PROJECT["readme"], *PROJECT["license-files"]]
    assert {*needed, "src"} <= set(copied)
    installs = [rest for word, rest in found if word == "RUN" and rest.startswith("pip install")]
    extras = re.search(r"'\.\[(.*)\]'", installs[-1])
    assert extras is not None
    page = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    assert f"`seedwise[{extras[1]}]`" in page
    assert set(extras[1].split(",")) <= set(PROJECT["optional-dependencies"])
    for _, rest in (each for each in found if each[0] == "RUN"):
        subprocess.run(["bash", "-n"], input=rest, text=True, check=True)
    assert "registry/seedwise:1" in page


FIRST_STEP = """
import sys
from pathlib import Path
from seedwise import Setup, Study
sys.path.insert(0, "tests")
seen = []
def train(seed):
    seen.append(set(sys.modules))
    return 0.5 + seed.init / 10
for name in ("one.db", "two.db"):
    Study(Path(sys.argv[1]) / name).run({"a": train, "b": lambda seed: train(seed)}, seeds=2)
first, second = seen[0], seen[4]
print(len(second - first), len({name for name in first if name.startswith("seedwise")}))
print(*first)
"""


def test_the_first_step_of_a_study_waits_for_what_it_needs_and_that_of_the_next_for_nothing(
    tmp_path,
):
    """In a notebook a second study starts at once: in 0.03 s of processor time."""
    words = [sys.executable, "-c", FIRST_STEP, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    (more, ours), names = map(str.split, done.stdout.splitlines()[-2:])
    tops = {name.partition(".")[0] for name in names}
    assert int(more) == 0
    assert int(ours) < 165
    assert not tops & {
        "jaxtyping",
        "unittest",
        "asyncio",
        "torch",
        "numba",
        "PIL",
        "jinja2",
        "rich",
    }
    assert not {"scipy.special", "scipy.optimize", "scipy.stats"} & set(names)
