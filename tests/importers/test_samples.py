"""Tables and logs with a score for each example of each run."""

import json
import zipfile

import numpy as np
import pytest

from helpers.commands import seedwise
from seedwise.store import Store
from seedwise.study import Study, record

RIGHT = {
    ("base", 0): [1, 0, 0, 1, 0, 1, 0, 0],
    ("base", 1): [1, 1, 0, 0, 0, 1, 0, 0],
    ("tuned", 0): [1, 1, 1, 1, 0, 1, 0, 1],
    ("tuned", 1): [1, 1, 1, 0, 1, 1, 0, 1],
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(metric, path="s.db"):
    """The scores of each run of a study, by setup and seed, and its examples."""
    with Store.open(path, readonly=True) as store:
        runs = store.runs()
        found = store.scores(metric, [run.id for run in runs])
        named = {(r.setup, r.seed.init): row.tolist() for r, row in zip(runs, found, strict=True)}
        return named, store.examples()


def long_table(folder, head="setup,seed,question,exact_match", rows=None, name="long.csv"):
    made = [
        f"{setup},{seed},q{place},{score}"
        for (setup, seed), scores in RIGHT.items()
        for place, score in enumerate(scores)
    ]
    (folder / name).write_text("\n".join([head, *(made if rows is None else rows)]) + "\n")
    return name


def test_a_long_table_is_a_table_of_scores(folder):
    said = seedwise(
        *("import", long_table(folder), "s.db", "--example", "question", "--called", "questions")
    )
    assert "examples: column question" in said
    assert "4 runs of 2 setups stored" in said
    found, examples = kept("exact_match")
    assert found == RIGHT
    assert examples.names == tuple(f"q{place}" for place in range(8))
    assert "new questions" in seedwise("compare", "s.db", "base", "tuned", "--full")


def test_what_is_imported_is_what_is_recorded(folder):
    seedwise("import", long_table(folder), "s.db", "--example", "question")
    for (setup, seed), scores in RIGHT.items():
        record("r.db", setup=setup, seed=seed, scores={"exact_match": scores})
    one, other = (Study(name).compare("base", "tuned") for name in ("s.db", "r.db"))
    assert one.deciding.difference == other.deciding.difference
    assert one.deciding.new_images == other.deciding.new_images


def test_rows_in_any_order_with_groups_and_a_row_for_each_value(folder):
    rng = np.random.default_rng(0)
    rows = [
        f"{setup},{seed},q{place},p{place // 2},{metric},{score / scale}"
        for (setup, seed), scores in RIGHT.items()
        for place, score in enumerate(scores)
        for metric, scale in (("em", 1), ("f1", 2))
    ]
    rows = [rows[place] for place in rng.permutation(len(rows))]
    table = long_table(folder, "setup,seed,example,passage,metric,value", rows)
    seedwise("import", table, "s.db", "--example", "example", "--group", "passage")
    found, examples = kept("f1")
    order = [int(name[1:]) for name in examples.names]
    assert {
        run: [2 * scores[order.index(q)] for q in range(8)] for run, scores in found.items()
    } == (RIGHT)
    assert examples.groups == tuple(f"p{place // 2}" for place in order)
    assert kept("em")[0].keys() == RIGHT.keys()


def test_one_run_of_each_needs_no_seeds(folder):
    rows = [
        f"{setup},q{place},{score}"
        for (setup, seed), scores in RIGHT.items()
        if not seed
        for place, score in enumerate(scores)
    ]
    table = long_table(folder, "model,question,acc", rows)
    seedwise("import", table, "s.db", "--setup", "model", "--example", "question")
    assert "about no other seed" in seedwise("compare", "s.db", "base", "tuned")


def test_the_same_again_is_known(folder):
    table = long_table(folder)
    seedwise("import", table, "s.db", "--example", "question")
    assert "0 runs of 2 setups stored, 4 were already stored" in seedwise(
        "import", table, "s.db", "--example", "question"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-1], "lacks 1 of the examples under exact_match (q7)"),
        (lambda rows: [*rows, "tuned,1,q9,1"], "has beside those of the first run 1"),
        (lambda rows: [*rows[:-1], "tuned,1,q7,"], "exact_match of example 'q7' is ''"),
        (lambda rows: [*rows, "tuned,1,q7,1"], "already, for setup 'tuned'; give --seed COLUMN"),
        (lambda rows: [*rows[:-1], "tuned,1,,1"], "the column question is empty"),
        (lambda rows: [*rows[:-1], "tuned,x,q7,1"], "lacks 1 of the examples"),
    ],
)
def test_holes_are_refused_and_nothing_is_stored(folder, change, message):
    rows = (folder / long_table(folder)).read_text().split("\n")[1:-1]
    table = long_table(folder, rows=change(rows), name="odd.csv")
    said = seedwise("import", table, "s.db", "--example", "question", code=2)
    assert message in said
    assert not (folder / "s.db").exists()


def test_options_of_examples_go_with_no_others(folder):
    table = long_table(folder)
    said = seedwise("import", table, "s.db", "--example", "question", "--last", code=2)
    assert "give --example COLUMN or --last, not both" in said
    said = seedwise("import", table, "s.db", "--group", "question", code=2)
    assert "give --example COLUMN too" in said
    assert "unknown column 'no'" in seedwise("import", table, "s.db", "--example", "no", code=2)


def samples_of(folder, model, task, scores, filters=("none",)):
    """A file as lm-evaluation-harness 0.4 writes it with --log_samples."""
    (folder / model).mkdir(exist_ok=True)
    lines = [
        {
            "doc_id": place,
            "doc": {"question": "..."},
            "target": "4",
            "arguments": {"gen_args_0": {"arg_0": "..."}},
            "resps": [["4"]],
            "filtered_resps": ["4"],
            "filter": name,
            "metrics": ["exact_match"],
            "doc_hash": f"{place:064x}",
            "prompt_hash": "0" * 64,
            "target_hash": "0" * 64,
            "exact_match": float(score),
        }
        for name in filters
        for place, score in enumerate(scores)
    ]
    file = folder / model / f"samples_{task}_2026-11-28T12-00-00.123456.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_samples_of_lm_eval_are_scores_of_questions(folder):
    for model in ("base", "tuned"):
        samples_of(folder, model, "gsm8k", RIGHT[model, 0])
    said = seedwise("import", "base", "tuned", "s.db", "--called", "questions")
    assert "2 runs of 2 setups stored" in said
    found, examples = kept("exact_match")
    assert {setup: scores for (setup, _), scores in found.items()} == {
        model: RIGHT[model, 0] for model in ("base", "tuned")
    }
    assert examples.names[3] == "gsm8k/3"
    said = seedwise("compare", "s.db", "base", "tuned", "--full")
    assert "on the same 8 questions (exact McNemar test)" in said


def test_filters_of_lm_eval_are_metrics_of_their_own(folder):
    samples_of(folder, "base", "gsm8k", RIGHT["base", 0], ("strict-match", "flexible-extract"))
    seedwise("import", "base", "s.db")
    assert kept("exact_match,strict-match")[0] == {("base", 0): RIGHT["base", 0]}


@pytest.mark.parametrize("line", ["{", "[]", '{"resps": 1}', '{"doc_id": 0, "exact_match": 1}'])
def test_damaged_samples_end_in_one_line(folder, line):
    file = samples_of(folder, "base", "gsm8k", RIGHT["base", 0])
    file.write_text(f"{file.read_text()}{line}\n")
    said = seedwise("import", file, "s.db", code=2)
    assert "line 9" in said
    assert not (folder / "s.db").exists()


def inspect_log(folder, model, form):
    """A log of Inspect's with two epochs, as .eval or as .json."""
    header = {"version": 2, "status": "success", "eval": {"task": "sums", "model": model}}
    samples = [
        {
            "id": place,
            "epoch": seed + 1,
            "input": "...",
            "scores": {"match": {"value": "C" if score else "I", "answer": "4"}},
        }
        for seed in (0, 1)
        for place, score in enumerate(RIGHT[model, seed])
    ]
    file = folder / f"{model}.{form}"
    if form == "json":
        file.write_text(json.dumps({**header, "samples": samples}))
        return file
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(header))
        for sample in samples:
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
            archive.writestr(name, json.dumps(sample))
    return file


@pytest.mark.parametrize("form", ["eval", "json"])
def test_epochs_of_inspect_are_runs(folder, form):
    files = [inspect_log(folder, model, form) for model in ("base", "tuned")]
    seedwise("import", *files, "s.db", "--format", "inspect-samples", "--better", "match=higher")
    found, examples = kept("match")
    assert found == RIGHT
    assert examples.names[2] == "sums/2"


def test_an_unscored_sample_of_inspect_is_refused(folder):
    file = folder / "base.json"
    said = {"version": 2, "status": "success", "eval": {}, "samples": [{"id": 1, "epoch": 1}]}
    file.write_text(json.dumps(said))
    said = seedwise("import", file, "s.db", "--format", "inspect-samples", code=2)
    assert "sample 1 has no score" in said
