"""The GitHub Action: its shell steps are run as GitHub runs them, with a `gh` that keeps notes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import seedwise

ACTION = Path(__file__).parents[1] / "action.yml"
RUNS = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
INPUTS = yaml.safe_load(ACTION.read_text())["inputs"]

STUDY = """
seeds = 6
[setups.base]
train = "training:base"
[setups.good]
train = "training:good"
[setups.bad]
train = "training:bad"
"""
TRAINING = """
def base(seed): return {"accuracy": 0.80 + 0.001 * (seed.init % 3)}
def good(seed): return {"accuracy": 0.90 + 0.001 * (seed.init % 2)}
def bad(seed): return {"accuracy": 0.70 + 0.001 * (seed.init % 2)}
def sometimes(seed):
    if seed.init == 5:
        raise RuntimeError("no luck")
    return good(seed)
"""
GH = """#!{python}
import json, os, sys
words = sys.argv[1:]
note = {{"words": words, "token": os.environ.get("GH_TOKEN")}}
for word in words:
    if word.startswith("body=@"):
        note["body"] = open(word[len("body=@"):]).read()
with open(os.environ["GH_NOTES"], "a") as file:
    file.write(json.dumps(note) + "\\n")
if os.environ.get("GH_FAILS"):
    sys.exit("HTTP 403: Resource not accessible by integration")
if "--paginate" in words:
    print(os.environ.get("GH_FOUND", ""))
"""
PIP = """#!{python}
import json, os, sys
with open(os.environ["PIP_NOTES"], "w") as file:
    json.dump(sys.argv[1:], file)
"""
SEEDWISE = """#!{python}
from seedwise.cli import main
main()
"""
QUICK = """#!{python}
import json, os, sys
with open(os.environ["SEEDWISE_NOTES"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
for word in sys.argv[1:]:
    if word.startswith("--markdown="):
        open(word.partition("=")[2], "w").write("**a verdict**\\n")
"""


class Job:
    """A job of GitHub with one Action in it, whose steps are run in a folder.

    The seedwise on its path is the real one, or a quick one that keeps what it is called with.
    """

    def __init__(self, folder, *, pull_request="7", real=False, **env):
        self.folder, self.temp = folder / "work", folder / "temp"
        bin_ = folder / "bin"
        for each in (self.folder, self.temp, bin_):
            each.mkdir()
        self.files = {
            name: folder / name
            for name in ("output", "summary", "gh.jsonl", "pip.json", "seedwise.jsonl")
        }
        self._program(bin_ / "gh", GH)
        self._program(bin_ / "python", PIP)
        self._program(bin_ / "seedwise", SEEDWISE if real else QUICK)
        source = str(Path(seedwise.__file__).parents[1])
        self._env = {
            "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": source,
            "GITHUB_OUTPUT": str(self.files["output"]),
            "GITHUB_STEP_SUMMARY": str(self.files["summary"]),
            "RUNNER_TEMP": str(self.temp),
            "GH_NOTES": str(self.files["gh.jsonl"]),
            "PIP_NOTES": str(self.files["pip.json"]),
            "SEEDWISE_NOTES": str(self.files["seedwise.jsonl"]),
            **env,
        }
        self._known = {
            "github.action_path": "/actions/seedwise",
            "github.repository": "owner/project",
            "github.event.pull_request.number": pull_request,
            "github.token": "secret",
        }
        self.log = ""

    def write(self, **files):
        for name, content in files.items():
            (self.folder / name.replace("__", ".")).write_text(content)
        return self

    def run(self, **inputs):
        """The exit code of the Action; a step after one that failed is run if it says always()."""
        known = dict(self._known)
        for name, what in INPUTS.items():
            given = inputs.get(name.replace("-", "_"), what.get("default", ""))
            known[f"inputs.{name}"] = self._filled(given, known)
        code = 0
        for step in RUNS:
            wanted = _holds(step.get("if", "success()"), known, failed=code != 0)
            if not wanted or "run" not in step:
                continue
            done = self._shell(step, known)
            code = code or done
            for name, value in self._outputs().items():
                known[f"steps.{step.get('id')}.outputs.{name}"] = value
        return code

    def _shell(self, step, known):
        assert step["shell"] == "bash"
        script = self.temp / "script.sh"
        script.write_text(step["run"])
        env = {name: self._filled(value, known) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder,
            env=self._env | env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.log += done.stdout + done.stderr
        return done.returncode

    def _outputs(self):
        file = self.files["output"]
        lines = file.read_text().splitlines() if file.exists() else []
        return dict(line.split("=", 1) for line in lines)

    def _program(self, path, text):
        path.write_text(text.format(python=sys.executable))
        path.chmod(0o755)

    @staticmethod
    def _filled(text, known):
        return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: known[found[1]], text)

    @property
    def summary(self):
        return self.files["summary"].read_text()

    @property
    def comments(self):
        return self._notes("gh.jsonl")

    @property
    def calls(self):
        """Words that the quick seedwise was called with."""
        return self._notes("seedwise.jsonl")

    def _notes(self, name):
        file = self.files[name]
        return (
            [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        )


def _holds(condition, known, *, failed):
    """A condition of a step, of the few kinds that the Action has."""
    parts = [part.strip() for part in condition.split("&&")]
    if "always()" not in parts and failed:
        return False
    for part in parts:
        name, is_, value = re.fullmatch(r"([\w.()-]+)(?: (==|!=) '(.*)')?", part).groups()
        if name in ("always()", "success()"):
            continue
        here = known[name]
        if not (here == value if is_ == "==" else here != value if is_ else here):
            return False
    return True


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


@pytest.fixture
def real(tmp_path):
    return Job(tmp_path, real=True).write(study__toml=STUDY, training__py=TRAINING)


def test_a_verdict_that_is_worse_fails_the_job_and_is_told_everywhere(real):
    assert real.run(study="study.toml", compare="base bad", margin="0.005") == 1
    assert real.summary.startswith("**bad is worse than base: accuracy is ")
    listed, posted = real.comments
    assert "--paginate" in listed["words"]
    assert posted["words"][:5] == [
        "api", "--silent", "--method", "POST", "repos/owner/project/issues/7/comments",
    ]  # fmt: skip
    marker, block = posted["body"].split("\n", 1)
    assert re.fullmatch(r"<!-- seedwise [0-9a-f]{12} -->", marker)
    assert block == real.summary
    assert posted["token"] == "secret"
    assert (real.folder / "seedwise.db").exists()


def test_failed_runs_fail_the_job_though_the_verdict_is_told(real):
    real.write(study__toml=STUDY.replace(":good", ":sometimes"))
    assert real.run(study="study.toml", fail_if="") == 1
    assert real.summary.startswith("**good is better than base")
    assert "**bad is worse than base" in real.summary  # none named: all are compared


def test_a_study_that_cannot_be_run_fails_and_says_so_in_place_of_an_old_verdict(real):
    (real.temp / "seedwise.md").write_text("**good is better than base**")
    assert real.run(study="absent.toml") == 2
    assert real.comments[-1]["body"].split("\n", 1)[1].startswith("**seedwise has no verdict**")
    assert "absent.toml" in real.log


def test_two_states_of_the_code_are_run_into_a_file_each_and_put_together(real):
    for state, start in (("before", 2), ("after", 3)):
        (real.folder / state).mkdir()
        (real.folder / state / f"{state}.toml").write_text(
            f'seeds = 6\n[setups.{state}]\ntrain = "training:train"\n'
        )
        (real.folder / state / "training.py").write_text(
            f"def train(seed): return {{'accuracy': 0.1 * {start} + seed.init ** {start} / 1e5}}"
        )
    code = real.run(study="before/before.toml\nafter/after.toml\n", compare="before after")
    assert code == 0
    assert real.summary.startswith("**after is better than before")
    assert {"before.db", "after.db", "seedwise.db"} <= {
        each.name for each in real.folder.iterdir()
    }


def test_two_study_files_of_one_name_are_refused_before_they_share_a_file(job):
    assert job.run(study="one/study.toml\nother/study.toml") == 2
    assert "two study files are both named for study.db" in job.log


def test_inputs_become_arguments(job):
    inputs = {"margin": "0.005", "metric": "f1", "store": "s.db", "fail_if": "different"}
    assert job.run(study="a file.toml", compare="base *", **inputs) == 0
    block = job.temp / "seedwise.md"
    options = [f"--markdown={block}", "--fail-if=different", "--margin=0.005", "--metric=f1"]
    assert job.calls == [
        ["run", "--store=s.db", "--", "a file.toml"],
        ["compare", *options, "--", "s.db", "base", "*"],
    ]


def test_an_empty_gate_is_none(job):
    job.run(study="study.toml", fail_if="")
    assert not [word for word in job.calls[-1] if word.startswith("--fail-if")]


def test_the_next_push_changes_the_comment(tmp_path):
    job = Job(tmp_path, GH_FOUND="41\n42")
    job.run(study="study.toml")
    listed, patched = job.comments
    assert patched["words"][2:5] == [
        "--method", "PATCH", "repos/owner/project/issues/comments/41",
    ]  # fmt: skip
    marker = patched["body"].split("\n")[0]
    assert f'startswith("{marker}")' in listed["words"][-1]


def test_a_token_that_may_not_comment_does_not_fail_the_job(tmp_path):
    job = Job(tmp_path, GH_FAILS="1")
    assert job.run(study="study.toml") == 0
    assert "::warning::seedwise could not comment" in job.log


@pytest.mark.parametrize(("pull_request", "comment"), [("", "true"), ("7", "false")])
def test_nothing_is_commented_outside_of_a_pull_request_or_unasked(
    tmp_path, pull_request, comment
):
    job = Job(tmp_path, pull_request=pull_request)
    assert job.run(study="study.toml", comment=comment) == 0
    assert not job.comments


EVIL = "x$(touch pwned)`touch pwned`';touch pwned;\"\ntouch pwned\n${{ github.token }} --help"


@pytest.mark.parametrize("name", ["study", *(name for name in INPUTS if name != "study")])
def test_no_input_is_run_by_the_shell(job, name):
    job.run(**{"study": "study.toml", name.replace("-", "_"): EVIL})
    assert not (job.folder / "pwned").exists()
    assert "secret" not in job.summary


def test_an_input_opens_no_option(job):
    job.run(study="--help", compare="--json --fail-if=different", store="--json")
    for call in job.calls:
        assert not {"--help", "--json"} & set(call[: call.index("--")])


def test_a_pull_request_number_is_no_code_either(tmp_path):
    job = Job(tmp_path, pull_request=EVIL)
    assert job.run(study="study.toml") == 0
    assert not (job.folder / "pwned").exists()


def test_no_expression_stands_in_a_script():
    assert [step["name"] for step in RUNS if "${{" in step.get("run", "")] == []


def test_the_seedwise_that_is_installed_is_the_one_of_the_action(job):
    job.run(study="study.toml", extras="train,charts")
    assert json.loads(job.files["pip.json"].read_text()) == [
        "-m", "pip", "install", "--quiet", "/actions/seedwise[train,charts]",
    ]  # fmt: skip


def test_python_is_set_up_only_where_a_version_is_asked_for():
    step = next(step for step in RUNS if step.get("uses", "").startswith("actions/setup-python"))
    assert not _holds(step["if"], {"inputs.python-version": ""}, failed=False)
    assert _holds(step["if"], {"inputs.python-version": "3.12"}, failed=False)
