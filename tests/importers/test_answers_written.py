"""Answers, question by question, as lm-evaluation-harness and Inspect wrote them.

What an import makes of them is held to what the libraries report of the same answers.
"""

import json

import numpy as np
import pytest

from helpers.libraries import library
from helpers.tracked import words, written
from seedwise.store import Store
from seedwise.study import Study

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.slow,  # the libraries start for a minute each
    pytest.mark.filterwarnings("ignore"),
]

HINT = "pip install -r requirements-adapters.txt"

LM_EVAL = """
import json, os, random, sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

torch.set_num_threads(1)
vocabulary = ["<pad>", "<eos>", "yes", "no", "maybe", "blue", "red", "green", "?"]
places = {word: place for place, word in enumerate(vocabulary)}
splitter = Tokenizer(models.WordLevel(places, unk_token="<pad>"))
splitter.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=splitter, unk_token="<pad>", pad_token="<pad>", eos_token="<eos>"
)
for place, name in enumerate(("tiny-a", "tiny-b")):
    torch.manual_seed(place)
    config = GPT2Config(vocab_size=9, n_positions=64, n_embd=16, n_layer=1, n_head=2,
                        initializer_range=0.3, bos_token_id=1, eos_token_id=1)
    GPT2LMHeadModel(config).save_pretrained(name)
    tokenizer.save_pretrained(name)

draw = random.Random(0)
rows = [
    {"q": f"{draw.choice(vocabulary[5:8])} {draw.choice(vocabulary[2:8])}",
     "a": draw.randrange(3), "w": draw.choice(vocabulary[2:5])}
    for _ in range(QUESTIONS)
]
Path("q.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
Path("tasks").mkdir()


def task(name, **about):
    data = {"dataset_path": "json", "test_split": "test", "doc_to_text": "{{q}} ?",
            "dataset_kwargs": {"data_files": {"test": "q.jsonl"}}}
    Path(f"tasks/{name}.yaml").write_text(json.dumps({"task": name, **data, **about}))


for name, choices in (("answers", ["yes", "no", "maybe"]), ("colours", ["blue", "red", "green"])):
    task(name, output_type="multiple_choice", doc_to_target="{{a}}", doc_to_choice=choices,
         metric_list=[{"metric": "acc"}, {"metric": "acc_norm"}])
Path("tasks/both.yaml").write_text(json.dumps({
    "group": "both", "task": ["answers", "colours"],
    "aggregate_metric_list": [{"metric": "acc", "weight_by_size": True}],
}))
regex = {"function": "regex", "regex_pattern": "(yes|no|maybe)"}
first, vote = {"function": "take_first"}, {"function": "majority_vote"}
task("words", output_type="generate_until", doc_to_target="{{w}}", repeats=3,
     generation_kwargs={"until": ["zz"], "max_gen_toks": 3, "do_sample": True,
                        "temperature": 1.0},
     metric_list=[{"metric": "exact_match"}, {"metric": "bleu"}],
     filter_list=[{"name": "first", "filter": [regex, first]},
                  {"name": "maj", "filter": [regex, vote, first]}])

from lm_eval.__main__ import cli_evaluate

for model in ("./tiny-a", "./tiny-b"):
    for seed in SEEDS:
        sys.argv = ["lm_eval", "run", "--model", "hf", "--model_args", f"pretrained={model}",
                    "--tasks", "both,words", "--include_path", "tasks", "--log_samples",
                    "--output_path", "out", "--seed", str(seed), "--device", "cpu",
                    "--batch_size", "8"]
        cli_evaluate()
"""

INSPECT = """
import random
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score, accuracy, choice, f1, match, mean, scorer, stderr
from inspect_ai.solver import solver


@solver
def answers(model):
    async def solve(state, generate):
        draw = random.Random(f"{model}/{state.sample_id}/{state.epoch}")
        right = draw.random() < (0.3 if model == "base" else 0.9)
        text = state.target.text if right else "blue whale"
        state.output = ModelOutput.from_content("mock", text)
        for place in range(len(state.choices)):
            state.choices.mark_choice(place, (place == "ABC".index(state.target.text)) == right)
        return state

    return solve


def scored(name, metrics, value):
    @scorer(metrics=metrics, name=name)
    def made():
        async def score(state, target):
            right = state.output.completion == target.text
            return Score(value=value(right, len(state.output.completion), state.sample_id))

        return score

    return made()


SCORERS = [
    match(),
    f1(),
    scored("length", [mean(), stderr()], lambda right, length, n: length / 3),
    scored("graded", [accuracy()], lambda right, length, n: "C" if right else "PIN"[n % 3]),
    scored("flag", [accuracy()], lambda right, length, n: right),
    scored("word", [accuracy()], lambda right, length, n: "yes" if right else "no"),
    scored("text", [accuracy()], lambda right, length, n: str(n / 10)),
    scored("parts", {"a": [mean()], "b": [mean()]},
           lambda right, length, n: {"a": int(right), "b": 0.5 + n}),
]
words = [Sample(id=n, input="q", target=("yes", "no", "blue")[n % 3]) for n in range(12)]
several = [Sample(id=n, input="q", choices=["x", "y", "z"], target="ABC"[n % 3]) for n in range(9)]
for model in ("base", "wide"):
    for kind in ("eval", "json"):
        about = {"model": f"mockllm/{model}", "epochs": 3, "log_format": kind, "display": "none"}
        eval(Task(MemoryDataset(words), solver=answers(model), scorer=SCORERS, name="words"),
             log_dir=f"words_{kind}", **about)
        eval(Task(MemoryDataset(several), solver=answers(model), scorer=choice(), name="choices"),
             log_dir=f"choices_{kind}", **about)
"""


@pytest.fixture(scope="module")
def lm_eval(tmp_path_factory):
    library("lm_eval", install=HINT)
    where = tmp_path_factory.mktemp("lm_eval_samples")
    return written(f"QUESTIONS, SEEDS = 30, (1,)\n{LM_EVAL}", where) / "out"


@pytest.fixture(scope="module")
def inspect(tmp_path_factory):
    library("inspect_ai", install=HINT)
    return written(INSPECT, tmp_path_factory.mktemp("inspect_samples"))


def kept(path, metric):
    """The scores of each run of a study under a metric, by setup and seed."""
    with Store.open(path, readonly=True) as store:
        runs = store.runs()
        found = store.scores(metric, [run.id for run in runs]).astype(float)
        return {(r.setup, r.seed.init): row for r, row in zip(runs, found, strict=True)}


def reported(folder):
    """Results that lm-eval wrote, by model and seed."""
    found = [json.loads(path.read_text()) for path in sorted(folder.rglob("results*.json"))]
    return {(each["model_name"], each["config"]["random_seed"]): each for each in found}


def test_answers_of_several_tasks_share_no_metric(lm_eval, tmp_path):
    """Samples lie beside results, in a folder that lm-eval names `.__tiny-a` of `./tiny-a`."""
    done = words("import", lm_eval, tmp_path / "s.db")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "the tasks share no metric (answers: acc, acc_norm; colours: acc" in done.output
    assert "give --metric acc" in done.output


@pytest.mark.parametrize("task", ["answers", "colours"])
def test_means_and_standard_errors_are_those_that_lm_eval_reports(lm_eval, tmp_path, task):
    files = sorted(lm_eval.rglob(f"samples_{task}_*.jsonl"))
    assert words("import", *files, tmp_path / "s.db").exit_code == 0
    for metric in ("acc", "acc_norm"):
        found = kept(tmp_path / "s.db", metric)
        assert found.keys() == reported(lm_eval).keys()
        for run, said in reported(lm_eval).items():
            result = said["results"][task]
            error = found[run].std(ddof=1) / len(found[run]) ** 0.5
            assert found[run].mean() == pytest.approx(result[f"{metric},none"], abs=1e-12)
            assert error == pytest.approx(result[f"{metric}_stderr,none"], abs=1e-12)


def test_tasks_with_a_metric_are_one_run_and_its_mean_is_that_of_the_group(lm_eval, tmp_path):
    done = words("import", lm_eval, tmp_path / "s.db", "--metric", "acc")
    assert "2 files with the means of these runs, which --format lm-eval reads" in done.output
    assert "left out: bleu,first, bleu,maj: no number for each question" in done.output
    assert "left out: tasks without acc: words" in done.output
    assert "2 runs of 2 setups stored" in done.output
    found = kept(tmp_path / "s.db", "acc")
    for run, said in reported(lm_eval).items():
        both = said["results"]["both"]["acc,none"]
        assert found[run].mean() == pytest.approx(both, abs=1e-12)
    comparison = Study(tmp_path / "s.db").compare("./tiny-a", "./tiny-b")
    assert comparison.called == "questions"
    means = {name: np.mean([v for (s, _), v in found.items() if s == name]) for name, _ in found}
    gap = means["./tiny-b"] - means["./tiny-a"]
    assert comparison.deciding.difference.estimate == pytest.approx(gap, abs=1e-12)


def test_repeats_and_filters(lm_eval, tmp_path):
    """A question that is sampled three times has a score for each filter."""
    names = ("exact_match,first", "exact_match,maj")
    chosen = [word for name in names for word in ("--metric", name)]
    done = words("import", lm_eval, tmp_path / "s.db", *chosen)
    assert "left out: tasks without exact_match,first, exact_match,maj: answers" in done.output
    for name in names:
        found = kept(tmp_path / "s.db", name)
        for run, said in reported(lm_eval).items():
            assert found[run].mean() == pytest.approx(said["results"]["words"][name], abs=1e-12)
            assert len(found[run]) == 30


def test_results_beside_samples_are_read_if_asked_for(lm_eval, tmp_path):
    done = words("import", lm_eval, tmp_path / "s.db", "--format", "lm-eval")
    assert "2 runs of 2 setups stored" in done.output
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        for run in store.runs():
            said = reported(lm_eval)[run.setup, run.seed.init]["results"]
            assert run.metrics["both/acc"] == said["both"]["acc,none"]
            assert run.metrics["words/exact_match,maj"] == said["words"]["exact_match,maj"]


def logs(folder):
    """Logs of Inspect as it reads them itself, by model."""
    from inspect_ai.log import read_eval_log  # pyright: ignore[reportMissingImports]

    found = [read_eval_log(str(path)) for path in sorted(folder.iterdir())]
    return {log.eval.model: log for log in found}


@pytest.mark.parametrize("kind", ["eval", "json"])
def test_means_of_inspect_are_those_that_it_reports(inspect, tmp_path, kind):
    """Of a model the mean over its epochs; of a scorer with several values each of them."""
    folder = inspect / f"words_{kind}"
    done = words("import", folder, tmp_path / "s.db")
    assert "note: no seed is known, so samples are read" in done.output
    assert "higher is better: match, f1, graded, flag, word" in done.output
    assert "6 runs of 2 setups stored" in done.output
    names = {"a": "parts/a", "b": "parts/b"}
    for model, log in logs(folder).items():
        assert log.results.scores
        for score in log.results.scores:
            found = kept(tmp_path / "s.db", names.get(score.name, score.name))
            runs = np.array([values for (setup, _), values in found.items() if setup == model])
            said = {name: metric.value for name, metric in score.metrics.items()}
            mean = said.get("accuracy", said.get("mean"))
            assert runs.mean() == pytest.approx(mean, abs=1e-7)  # scores are kept as float32
            if "stderr" in said:
                error = runs.mean(axis=0).std(ddof=1) / len(runs.T) ** 0.5
                assert error == pytest.approx(said["stderr"], abs=1e-7)
    assert Study(tmp_path / "s.db").compare(*logs(folder), metric="match").outcome == "better"


@pytest.mark.parametrize("kind", ["eval", "json"])
def test_several_tasks_of_inspect(inspect, tmp_path, kind):
    folders = [inspect / f"{task}_{kind}" for task in ("words", "choices")]
    done = words("import", *folders, tmp_path / "s.db")
    assert "give --metric match for the tasks that have it" in done.output
    done = words("import", *folders, tmp_path / "s.db", "--metric", "choice")
    assert "left out: tasks without choice: words" in done.output
    for model, log in logs(folders[1]).items():
        found = kept(tmp_path / "s.db", "choice")
        mean = np.mean([values for (setup, _), values in found.items() if setup == model])
        said = log.results.scores[0].metrics["accuracy"].value
        assert mean == pytest.approx(said, abs=1e-12)
