"""Logs that lm-evaluation-harness and Inspect wrote."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

from helpers.libraries import library, without
from helpers.tracked import imported, verdict, words, written
from seedwise.importers import evals, samples
from seedwise.importers.logs import Candidate

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.slow,  # a minute each, most of which is the libraries' start
    pytest.mark.filterwarnings("ignore"),
]

HINT = "pip install -r requirements-adapters.txt"
RIGHT = {
    ("base", 0): 3,
    ("base", 1): 4,
    ("base", 2): 4,
    ("wide", 0): 7,
    ("wide", 1): 8,
    ("wide", 2): 7,
}
"""Of ten questions."""

INSPECT = """
import sys
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import includes, match
from inspect_ai.solver import solver


@solver
def answers(right):
    async def solve(state, generate):
        text = "yes" if state.sample_id <= right else "no"
        state.output = ModelOutput.from_content("mock", text)
        return state

    return solve


questions = MemoryDataset([Sample(id=n, input=f"q{n}", target="yes") for n in range(1, 11)])
for model, seed, right in RUNS:
    for kind in ("eval", "json"):
        scorers = [match(), includes()]
        task = Task(dataset=questions, solver=answers(right), scorer=scorers, name="toy")
        eval(task, model=f"mockllm/{model}", seed=seed, log_dir=f"{kind}s", log_format=kind,
             metadata={"lr": 0.1}, display="none")
"""

LM_EVAL = """
import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

here = Path.cwd()
(here / "questions.jsonl").write_text(
    "".join(json.dumps({"q": f"q{n}", "a": 0}) + "\\n" for n in range(10))
)
(here / "toy.yaml").write_text(json.dumps({
    "task": "toy", "dataset_path": "json", "test_split": "test", "output_type": "multiple_choice",
    "dataset_kwargs": {"data_files": {"test": str(here / "questions.jsonl")}},
    "doc_to_text": "{{q}}", "doc_to_target": "{{a}}", "doc_to_choice": ["yes", "no"],
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}))


class Answers(LM):
    def __init__(self, right):
        super().__init__()
        self.right = right

    def loglikelihood(self, requests):
        yes = lambda text: int(text[1:]) < self.right
        return [(float(yes(r.args[0]) == (r.args[1].strip() == "yes")), False) for r in requests]

    def loglikelihood_rolling(self, requests): ...
    def generate_until(self, requests): ...


tasks = TaskManager(include_path=str(here))
for model, seed, right in RUNS:
    tracker = EvaluationTracker(output_path=str(here / "out"))
    tracker.general_config_tracker.model_name = f"us/{model}"
    tracker.general_config_tracker.model_name_sanitized = f"us__{model}"
    found = simple_evaluate(Answers(right), tasks=["toy"], task_manager=tasks, random_seed=seed,
                            bootstrap_iters=0, verbosity="ERROR")
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    tracker.save_results_samples(task_name="toy", samples=samples["toy"])
"""


def program(code):
    runs = [(model, seed, right) for (model, seed), right in RIGHT.items()]
    return f"RUNS = {runs}\n{code}"


@pytest.fixture(scope="module")
def inspect(tmp_path_factory):
    library("inspect_ai", install=HINT)
    return written(program(INSPECT), tmp_path_factory.mktemp("inspect"))


@pytest.fixture(scope="module")
def lm_eval(tmp_path_factory):
    library("lm_eval", install=HINT)
    return written(program(LM_EVAL), tmp_path_factory.mktemp("lm_eval")) / "out"


def in_order(folder):
    """The logs of a folder as they were written: their names have seconds only."""
    return sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)


def shares(prefix):
    return {(f"{prefix}/{model}", seed): right / 10 for (model, seed), right in RIGHT.items()}


@pytest.mark.parametrize("kind", ["evals", "jsons"])
def test_logs_of_inspect(inspect, kind):
    name = "toy/match/accuracy"
    assert imported(inspect / kind, metric=name) == shares("mockllm")
    setups, of = ("mockllm/base", "mockllm/wide"), (f"log, .{kind[:-1]}", "inspect-ai")
    assert verdict(inspect / kind, name, setups, of=of) == "better"


def test_both_forms_of_a_log_hold_the_same(inspect):
    logs = [
        evals.INSPECT.read(Candidate(text=str(in_order(inspect / kind)[3])))[0]
        for kind in ("evals", "jsons")
    ]
    assert logs[0].rows[0].cells == logs[1].rows[0].cells
    assert logs[0].rows[0].cells == {"toy/match/accuracy": "0.7", "toy/includes/accuracy": "0.7"}
    assert logs[0].facts == logs[1].facts
    assert logs[0].facts == {
        "setup": "mockllm/wide",
        "state": "success",
        "config.seed": "0",
        "config.metadata.lr": "0.1",
    }


@pytest.mark.parametrize("kind", ["evals", "jsons"])
def test_samples_of_inspect_are_scores(inspect, kind):
    """A model and a task each: the seed is no seed of a training, and epochs are the runs."""
    logs = in_order(inspect / kind)
    for place, (run, right) in enumerate(RIGHT.items()):
        (log,) = samples.INSPECT.read(Candidate(text=str(logs[place])))
        assert log.facts["setup"] == f"mockllm/{run[0]}"
        assert [row["example"] for row in log.rows] == [f"toy/{n}" for n in range(1, 11)]
        assert [row["match"] for row in log.rows] == ["1.0"] * right + ["0.0"] * (10 - right)


def test_a_log_of_a_run_that_was_killed_says_so(inspect, tmp_path):
    """Its archive has no header yet."""
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "_journal/start.json", json.dumps({"version": 2, "eval": {"task": "toy"}})
        )
    (log,) = evals.INSPECT.read(Candidate(text=str(path)))
    assert (log.facts["state"], log.rows[0].cells) == ("started", {})


def test_a_damaged_log_is_said_in_a_line(inspect, tmp_path):
    whole = next((inspect / "evals").iterdir()).read_bytes()
    for content in (whole[:-100], b"PK" + bytes(100)):
        (tmp_path / "x.eval").write_bytes(content)
        done = words("import", tmp_path / "x.eval", tmp_path / "s.db")
        assert (done.exit_code, done.output.count("\n")) == (2, 1)
        assert "x.eval is not a log of Inspect" in done.output


def test_without_the_library_the_extra_is_named(inspect, tmp_path, monkeypatch):
    if sys.version_info >= (3, 14):
        pytest.skip("Python has zstd")
    without("zstandard", monkeypatch)
    done = words("import", next((inspect / "evals").iterdir()), tmp_path / "s.db")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "pip install 'seedwise[inspect]'" in done.output


def test_results_of_lm_eval(lm_eval):
    found = imported(lm_eval, "--format", "lm-eval", metric="toy/acc")
    assert found == shares("us")
    models, of = ("us/base", "us/wide"), ("results", "lm-eval")
    assert verdict(lm_eval, "toy/acc", models, of=of) == "better"


def test_what_results_of_lm_eval_hold(lm_eval):
    file = sorted(Path(lm_eval).rglob("results*.json"))[0]
    (log,) = evals.LM_EVAL.read(Candidate(text=str(file)))
    assert set(log.rows[0].cells) == {"toy/acc"}
    assert log.facts["config.random_seed"] == "0"
    assert float(log.facts["seconds"]) > 0


def test_samples_of_lm_eval_are_scores(lm_eval):
    files = sorted((Path(lm_eval) / "us__wide").glob("samples*.jsonl"))
    for file, right in zip(files, (7, 8, 7), strict=True):
        assert samples.LM_EVAL.recognises(Candidate(text=str(file)))
        (log,) = samples.LM_EVAL.read(Candidate(text=str(file)))
        assert log.facts["setup"] == "us/wide"  # as the results beside them name it
        assert [row["example"] for row in log.rows] == [f"toy/{n}" for n in range(10)]
        assert [row["acc"] for row in log.rows] == ["1.0"] * right + ["0.0"] * (10 - right)


@pytest.mark.parametrize(
    ("said", "model"),
    [
        ({"model_name": "a/b", "config": {"model_args": "pretrained=x"}}, "a/b"),
        ({"config": {"model": "hf", "model_args": "pretrained=a/b,dtype=float"}}, "a/b"),
        ({"config": {"model": "hf", "model_args": {"pretrained": "a/b"}}}, "a/b"),
        ({"config": {"model": "hf", "model_args": ""}}, "hf"),
    ],
)
def test_the_model_of_each_version_of_lm_eval(said, model, tmp_path):
    """Before 0.4.3 it stands in the arguments only, and filters in no name of a metric."""
    results = {
        "arc": {"acc": 0.5, "acc_stderr": 0.1, "alias": "arc"},
        "gsm8k": {"em,strict": 0.25},
    }
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"results": results, "versions": {"arc": 1}, **said}))
    assert evals.LM_EVAL.recognises(Candidate(text=str(file)))
    (log,) = evals.LM_EVAL.read(Candidate(text=str(file)))
    assert log.facts["setup"] == model
    assert log.rows[0].cells == {"arc/acc": "0.5", "gsm8k/em,strict": "0.25"}
