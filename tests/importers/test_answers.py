"""Evaluations of several tasks and runs, question by question.

`written_by_lm_eval` is the output folder of lm-evaluation-harness 0.4.13, run with `--model hf
--model_args pretrained=./tiny-a --tasks choices,words --log_samples` on two random models with two
seeds each and eight made-up questions, as in test_answers_written.py. Only the description of the
machine was taken out of the results (`pretty_env_info`).
"""

import json
from pathlib import Path

import pytest

from helpers.commands import seedwise
from seedwise.store import Store
from seedwise.study import Study

WRITTEN = Path(__file__).parent / "written_by_lm_eval"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(metric, path="s.db"):
    """The scores of each run of a study under a metric, by setup and seed."""
    with Store.open(path, readonly=True) as store:
        runs = store.runs()
        found = store.scores(metric, [run.id for run in runs]).astype(float)
        return {(r.setup, r.seed.init): row for r, row in zip(runs, found, strict=True)}


def reported():
    """Results that lm-eval wrote, by model and seed."""
    found = [json.loads(path.read_text()) for path in WRITTEN.rglob("results*.json")]
    return {(each["model_name"], each["config"]["random_seed"]): each["results"] for each in found}


@pytest.mark.parametrize(
    ("metric", "task", "name"),
    [
        ("acc", "choices", "acc,none"),
        ("acc_norm", "choices", "acc_norm,none"),
        ("exact_match,first", "words", "exact_match,first"),
        ("exact_match,maj", "words", "exact_match,maj"),
    ],
)
def test_samples_beside_results_are_read_and_are_what_these_report(metric, task, name):
    said = seedwise("import", WRITTEN, "s.db", "--metric", metric)
    assert "4 files with the means of these runs, which --format lm-eval reads instead" in said
    assert f"higher is better: {metric}" in said or metric.startswith("acc")
    assert "4 runs of 2 setups stored" in said
    found = kept(metric)
    assert found.keys() == reported().keys()
    assert sorted(found) == [(f"./tiny-{model}", seed) for model in "ab" for seed in (1, 2)]
    for run, results in reported().items():
        assert found[run].mean() == pytest.approx(results[task][name], abs=1e-12)
        if f"{name.replace(',', '_stderr,')}" in results[task]:
            error = found[run].std(ddof=1) / len(found[run]) ** 0.5
            said = results[task][name.replace(",", "_stderr,")]
            assert error == pytest.approx(said, abs=1e-12)
    assert Study("s.db").compare("./tiny-a", "./tiny-b").called == "questions"


def test_results_are_read_if_asked_for():
    said = seedwise("import", WRITTEN, "s.db", "--format", "lm-eval")
    assert "4 runs of 2 setups stored" in said
    with Store.open("s.db", readonly=True) as store:
        for run in store.runs():
            results = reported()[run.setup, run.seed.init]
            assert run.metrics["choices/acc"] == results["choices"]["acc,none"]


def test_tasks_without_a_shared_metric_are_told_apart_by_it(folder):
    said = seedwise("import", WRITTEN, "s.db", code=2)
    assert "the tasks share no metric (choices: acc, acc_norm; words: exact_match,first" in said
    assert "give --metric acc for the tasks that have it" in said
    assert not (folder / "s.db").exists()


def evaluated(folder, model, time, scores, task="sums", seed=0, results=True, **config):
    """The files of one evaluation with --log_samples."""
    where = folder / model
    where.mkdir(parents=True, exist_ok=True)
    stamp = f"2026-11-28T10-00-0{time}.000001"
    lines = [
        {
            "doc_id": place,
            "filter": "none",
            "metrics": [*each],
            "doc_hash": "x",
            "resps": [],
            **each,
        }
        for place, each in enumerate(scores)
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (where / f"samples_{task}_{stamp}.jsonl").write_text(text)
    if results:
        said = {
            "results": {task: {"acc,none": 0.5}},
            "config": {"random_seed": seed, **config},
            "higher_is_better": {task: {"acc": True, "edits": False}},
            "model_name": model,
        }
        (where / f"results_{stamp}.json").write_text(json.dumps(said))


def acc(*values):
    return [{"acc": value} for value in values]


def test_evaluations_of_one_model_with_one_seed_are_numbered(folder):
    """Nobody set the seed: lm-eval says 0 of both."""
    for model in ("base", "tuned"):
        evaluated(folder / "out", model, 1, acc(1, 0, 1, 0, 1))
        evaluated(folder / "out", model, 2, acc(1, 1, 1, 0, 0))
    said = seedwise("import", "out", "s.db")
    assert "seed: numbered, so that no two pair" in said
    assert "some of the 2 runs of base on sums have one seed" in said
    assert "4 runs of 2 setups stored" in said
    assert "4 were already stored" in seedwise("import", "out", "s.db")


def test_one_model_with_several_settings_is_not_one_setup(folder):
    for time, dtype in enumerate(("float16", "float32")):
        evaluated(folder / "out", "base", time, acc(1, 0, 1), model_args={"dtype": dtype})
    said = seedwise("import", "out", "s.db", code=2)
    assert "runs of base differ in config.model_args.dtype (float16 and float32)" in said
    said = seedwise("import", "out", "s.db", "--setup", "config.model_args.dtype")
    assert "2 runs of 2 setups stored" in said
    assert "2 runs of 1 setup" in seedwise("import", "out", "t.db", "--setup", "setup")


def test_metrics_that_some_tasks_lack_are_left_out_and_said(folder):
    for model in ("base", "tuned"):
        evaluated(folder / "out", model, 1, [{"acc": 1, "f1": 0.5}, {"acc": 0, "f1": 0.1}], "a")
        evaluated(folder / "out", model, 1, [{"acc": 0, "bleu": ["x", "y"]}], "b")
    said = seedwise("import", "out", "s.db")
    assert "left out: bleu: no number for each question" in said
    assert "left out: f1: not every task has it" in said
    assert {run: scores.tolist() for run, scores in kept("acc").items()} == {
        ("base", 0): [1, 0, 0],
        ("tuned", 0): [1, 0, 0],
    }


def test_the_direction_that_the_results_say_is_kept(folder):
    for model, edits in (("base", 3.0), ("tuned", 1.0)):
        scores = [{"edits": edits + place % 3 * (edits - 1.5)} for place in range(30)]
        evaluated(folder / "out", model, 1, scores)
    assert "lower is better: edits" in seedwise("import", "out", "s.db")
    assert Study("s.db").compare("base", "tuned").outcome == "better"
    said = seedwise("import", "out", "t.db", "--better", "edits=higher")
    assert "higher is better: edits" in said


@pytest.mark.parametrize("name", [".__tiny", "..__up__tiny", "__abs__tiny", "us__tiny"])
def test_folders_as_lm_eval_names_them_are_looked_into(folder, name):
    """Of a model's path: its slashes become two underscores, so that some names look hidden."""
    evaluated(folder / "out", name, 1, acc(1, 0, 1))
    evaluated(folder / "out", "base", 1, acc(0, 0, 1))
    assert "2 runs of 2 setups stored" in seedwise("import", "out", "s.db")


def test_results_without_samples_of_the_same_run_are_asked_about(folder):
    evaluated(folder / "out", "base", 1, acc(1, 0, 1))
    evaluated(folder / "out", "tuned", 1, acc(0, 0, 1))
    (folder / "out/tuned").joinpath("samples_sums_2026-11-28T10-00-01.000001.jsonl").unlink()
    said = seedwise("import", "out", "s.db", code=2)
    assert "holds logs of several formats: lm-eval (2) and lm-eval-samples (1)" in said


def inspect_log(path, model, scores, status="success", seed=None):
    """A log of Inspect's as JSON, one sample for each of some scores."""
    samples = [
        {"id": place, "epoch": 1, "scores": {name: {"value": v} for name, v in each.items()}}
        for place, each in enumerate(scores)
    ]
    about = {
        "task": "sums",
        "model": model,
        "model_generate_config": {"seed": seed} if seed else {},
    }
    results = {"scores": [{"name": "match", "metrics": {"accuracy": {"value": 0.5}}}]}
    said = {"version": 2, "status": status, "eval": about, "results": results, "samples": samples}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(said))


def test_logs_of_inspect_without_seeds_are_read_by_their_samples(folder):
    for model, right in (("base", "I"), ("tuned", "C")):
        scores = [
            {"match": right if place % 3 else "P", "length": place / 3} for place in range(9)
        ]
        inspect_log(folder / f"logs/{model}.json", model, scores)
    inspect_log(folder / "logs/broken.json", "tuned", [], status="error")
    said = seedwise("import", "logs", "s.db")
    assert "note: no seed is known, so samples are read; --format inspect reads the means" in said
    assert "higher is better: match; not known which: length" in said
    assert "left out: 1 whose state is error" in said
    assert kept("match")["tuned", 0].tolist() == [0.5, 1, 1] * 3
    assert Study("s.db").compare("base", "tuned", metric="match").outcome == "better"


def test_logs_of_inspect_with_seeds_are_results_unless_samples_are_asked_for(folder):
    for model in ("base", "tuned"):
        for seed in (1, 2):
            inspect_log(folder / f"logs/{model}{seed}.json", model, [{"match": "C"}], seed=seed)
    said = seedwise("import", "logs", "s.db")
    assert "left out: scores of single questions, which --format inspect-samples reads" in said
    assert "4 runs of 2 setups stored" in said
    said = seedwise("import", "logs", "t.db", "--format", "inspect-samples")
    assert "4 runs of 2 setups stored" in said


@pytest.mark.parametrize(
    ("value", "score"),
    [
        *(("C", 1), ("P", 0.5), ("I", 0), ("N", 0), ("yes", 1), ("False", 0), (True, 1)),
        *((False, 0), (3, 3), (0.25, 0.25), ("0.75", 0.75)),
    ],
)
def test_values_of_inspect_are_the_numbers_that_it_makes_of_them(folder, value, score):
    inspect_log(folder / "logs/a.json", "a", [{"s": value, "parts": {"x": value, "y": 1}}] * 2)
    seedwise("import", "logs", "s.db", "--format", "inspect-samples", "--better", "parts/y=lower")
    assert kept("s")["a", 0].tolist() == [score] * 2
    assert kept("parts/x")["a", 0].tolist() == [score] * 2


def test_scores_that_are_names_are_left_out_and_said(folder):
    inspect_log(folder / "logs/a.json", "a", [{"s": 1, "label": "cat"}, {"s": 0, "label": "dog"}])
    said = seedwise("import", "logs", "s.db", "--format", "inspect-samples")
    assert "left out: label: no number for each question" in said
