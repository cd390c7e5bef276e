"""Runs that come with a score for each example, through the whole program."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline

from helpers.commands import seedwise
from seedwise.comparison import variance
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, DataError, StudyError
from seedwise.executors.example_scores import regression_scores
from seedwise.report.findings import Findings
from seedwise.store import Store
from seedwise.study import Study, record

EXAMPLES = 300


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


def right(seed, ahead=0.0, examples=EXAMPLES):
    """True for each of some questions, which differ in difficulty, that is answered."""
    hard = np.random.default_rng(0).normal(size=examples)
    noise = np.random.default_rng([seed, round(100 * ahead)]).normal(size=examples)
    return hard + ahead + noise > 0


def answered(path, **said):
    for seed in range(5):
        record(path, setup="old", seed=seed, scores={"exact_match": right(seed)}, **said)
        record(path, setup="new", seed=seed, scores={"exact_match": right(seed, 0.3)}, **said)
    return Study(path)


def test_right_and_wrong_give_what_logits_give(tmp_path):
    """The same answers as logits of three classes and as 0 and 1: the same to the last bit."""
    targets = np.random.default_rng(1).integers(0, 3, EXAMPLES)
    for seed in range(5):
        for name, ahead in (("old", 0.0), ("new", 0.3)):
            ok = right(seed, ahead)
            logits = 5.0 * np.eye(3)[np.where(ok, targets, (targets + 1) % 3)]
            about = {"setup": name, "seed": seed}
            record(tmp_path / "l.db", predictions=logits, targets=targets, **about)
            record(tmp_path / "s.db", scores={"accuracy": ok}, **about)
    found = [
        Study(tmp_path / f).compare("old", "new", metric="accuracy") for f in ("l.db", "s.db")
    ]
    logits, scores = (each.contrasts["accuracy"] for each in found)
    assert scores.difference == logits.difference
    assert scores.new_images == logits.new_images
    assert scores.values_a == logits.values_a
    assert found[0].outcome == found[1].outcome == "better"


def test_what_differs_from_run_to_run_is_told(path):
    churn = answered(path).compare("old", "new").churn
    assert churn is not None
    expected = np.mean([right(seed) != right(seed, 0.3) for seed in range(5)])
    assert churn.pairs == pytest.approx(expected)
    assert 0 < churn.within_a < churn.pairs


def test_scores_of_any_size_in_either_direction(path):
    """Returns of episodes, in thousands and below 0, of which a lower is said to be better."""
    rng = np.random.default_rng(2)
    for seed in range(4):
        returns = rng.normal(-3e4, 500, EXAMPLES)
        record(
            path, setup="old", seed=seed, scores={"penalty": returns}, better={"penalty": "lower"}
        )
        record(path, setup="new", seed=seed, scores={"penalty": returns - 900.0 - 9 * seed})
    found = Study(path).compare("old", "new")
    assert found.outcome == "better"
    assert found.churn is None
    assert found.deciding.difference.estimate == pytest.approx(-913.5, rel=1e-4)
    assert found.deciding.new_images is not None


def test_examples_are_called_what_the_user_calls_them(path):
    answered(path, called="questions")
    said = seedwise("compare", path, "old", "new", "--full")
    assert "these questions" in said
    assert "new questions" in said
    told = json.loads(seedwise("compare", path, "old", "new", "--json"))
    assert "new_examples" in told["deciding"]
    assert told["deciding"]["difference"]["population"] == "these examples"
    html = Study(path).compare("old", "new")._repr_html_()
    for text in (said, json.dumps(told), html):
        assert "image" not in text


@pytest.mark.parametrize("called", ["", "quest1ons", "a\nb", "x" * 50, " questions"])
def test_a_name_of_examples_is_a_word(path, called):
    with pytest.raises(ConfigError, match="a plural in letters"):
        record(path, setup="a", seed=0, scores={"f1": [0.5]}, called=called)


def test_examples_are_told_by_their_names(path):
    names = np.array([f"q{i}" for i in range(EXAMPLES)])
    record(path, setup="old", seed=0, scores={"f1": np.arange(EXAMPLES)}, examples=names)
    order = np.random.default_rng(3).permutation(EXAMPLES)
    record(path, setup="new", seed=0, scores={"f1": order}, examples=names[order])
    with Store.open(path, readonly=True) as store:
        old, new = store.scores("f1", [1, 2])
    np.testing.assert_array_equal(old, new)


def test_other_examples_are_refused(path):
    record(path, setup="a", seed=0, scores={"f1": [0, 1, 1]}, examples=["q1", "q2", "q3"])
    with pytest.raises(StudyError, match="1 are missing, such as 'q2' and 1 are unknown, such as"):
        record(path, setup="a", seed=1, scores={"f1": [0, 1, 1]}, examples=["q1", "q9", "q3"])


def test_a_score_that_is_not_finite_has_diverged_under_that_metric(path):
    scores = {"f1": [0.5, float("nan")], "em": [1, 0]}
    record(path, setup="a", seed=0, scores=scores)
    record(path, setup="b", seed=0, scores={"f1": [0.5, float("inf")]})
    with Store.open(path, readonly=True) as store:
        one, two = store.runs()
    assert (one.state, one.not_finite, one.scored) == ("finished", ("f1",), {"em"})
    assert (two.state, two.scored) == ("diverged", frozenset())


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.5], "scores are one number for each example under the name of a metric"),
        ({"f1": [[1, 2], [3, 4]]}, r"scores of f1 must be one number for each example, got int64"),
        ({"f1": []}, "scores of f1 must be one number for each example"),
        ({"f1": [[1], [2, 3]]}, "scores of f1 must be one number for each example"),
        ({"f1": ["a", "b"]}, "scores of f1 must be one number for each example, got <U1"),
        ({"f1": [1, 0], "em": [1, 0, 1]}, "one set of examples, got 2 of f1, 3 of em"),
        ({"accuracy": [100, 0]}, "accuracy must be a fraction from 0 to 1, got 50"),
    ],
)
def test_what_is_no_scores_is_refused(path, scores, message):
    with pytest.raises(DataError, match=message):
        record(path, setup="a", seed=0, scores=scores)
    assert not path.exists()


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"groups": ["x"]}, "groups must be one name or number for each of the 2 examples"),
        ({"examples": ["x", "x"]}, "each example has a name of its own, and two are 'x'"),
        ({"metrics": {"f1": 0.9}}, "f1 is 0.9 as given and 0.5 as the mean of its scores"),
    ],
)
def test_what_does_not_go_with_the_scores_is_refused(path, about, message):
    with pytest.raises(DataError, match=message):
        record(path, setup="a", seed=0, scores={"f1": [0, 1]}, **about)


def test_groups_without_scores_are_refused(path):
    with pytest.raises(DataError, match="belong to scores or predictions"):
        record(path, setup="a", seed=0, metrics={"f1": 0.5}, groups=["x"])


def test_the_command_records_scores(path, tmp_path):
    for seed in range(3):
        for name, ahead in (("old", 0.0), ("new", 0.3)):
            file = tmp_path / "s.npz"
            names = [f"q{i}" for i in range(EXAMPLES)]
            np.savez(
                file, exact_match=right(seed, ahead), examples=names, groups=np.arange(300) // 3
            )
            seedwise(
                *("record", path, "--setup", name, "--seed", seed, "--scores", file),
                *("--called", "questions"),
            )
    with Store.open(path, readonly=True) as store:
        found = store.examples()
    assert (found.count, len(set(found.groups)), found.names[1]) == (300, 100, "q1")
    assert "new questions" in seedwise("compare", path, "old", "new", "--full")


def test_an_array_without_a_name_is_refused(path, tmp_path):
    np.save(tmp_path / "s.npy", right(0))
    said = seedwise(
        "record", path, "--setup", "a", "--seed", 0, "--scores", tmp_path / "s.npy", code=2
    )
    assert "holds an array without a name; write numpy.savez('scores.npz', f1=array)" in said
    assert not path.exists()


def test_a_training_function_returns_scores(path):
    def train(seed):
        return {"scores": {"exact_match": right(seed.init)}, "groups": np.arange(300) // 3}

    def better(seed):
        return {"scores": {"exact_match": right(seed.init, 0.3)}}

    study = Study(path)
    study.run({"old": train, "new": better}, seeds=4)
    assert study.compare("old", "new").deciding.new_images is not None


def test_scores_come_from_processes_of_their_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "from seedwise import Study\n"
        "def train(seed):\n"
        "    return {'scores': {'f1': np.random.default_rng(seed.init).random(50)}}\n"
        "if __name__ == '__main__':\n"
        "    Study('s.db').run({'a': train}, seeds=4, jobs=2)\n"
    )
    subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, check=True, timeout=120)
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert store.scores("f1", [run.id for run in store.runs()]).shape == (4, 50)


def answered_in_groups(path, runs=4):
    """Questions of 20 passages, with names, by two setups."""
    passages = np.arange(EXAMPLES) // 15
    for seed in range(runs):
        for name, ahead in (("old", 0.0), ("new", 0.3)):
            record(
                path,
                setup=name,
                seed=seed,
                scores={"exact_match": right(seed, ahead)},
                examples=[f"q{place}" for place in range(EXAMPLES)],
                groups=[f"passage {number}" for number in passages],
                called="questions",
            )
    return passages


def test_the_noise_of_scores_is_told_by_example(path):
    answered_in_groups(path)
    with StudyRuns.open(path) as study:
        found = variance(study, "old")
    table = np.array([right(seed) for seed in range(4)])
    assert found.images is not None
    np.testing.assert_allclose(found.images.right, table.mean(axis=0))
    pairs = [table[a] != table[b] for a in range(4) for b in range(a)]
    np.testing.assert_allclose(found.images.flips, np.mean(pairs, axis=0))
    assert found.metrics[0].split is not None
    assert found.metrics[0].split.images == EXAMPLES
    said = seedwise("variance", path, "old")
    assert "Which of the 300 questions" in said
    assert "image" not in said
    assert found.names[3] == "q3"


def test_graded_scores_have_noise_and_no_flips(path):
    rng = np.random.default_rng(7)
    for seed in range(4):
        record(path, setup="a", seed=seed, scores={"return": 100 * rng.normal(size=50)})
    with StudyRuns.open(path) as study:
        found = variance(study, "a").images
    assert found is not None
    assert (found.graded, len(found.flips)) == (True, 0)
    said = seedwise("variance", path, "a")
    assert "mean score" in said
    assert "right" not in said
    assert "p(1 - p)/n" not in said


def test_a_report_of_scores_has_tables_of_groups_and_of_questions(path, tmp_path):
    passages = answered_in_groups(path)
    with StudyRuns.open(path) as study:
        (groups,) = Findings(study).groups.values()
    assert [each.images for each in groups] == [15] * 20
    old, new = (
        np.array([right(seed, ahead) for seed in range(4)])[:, passages == 3].mean()
        for ahead in (0.0, 0.3)
    )
    assert (groups[3].name, groups[3].a, groups[3].b) == ("passage 3", old, new)
    seedwise("report", path, "-o", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    shown = re.sub(r"(?s)<(script|style).*?</\1>", "", page)
    text = re.sub(r"<[^>]*>", " ", shown)
    for heading in ("Group by group", "Questions one by one", "Questions on which old and new"):
        assert heading in text
    assert "image" not in text.lower()


def test_a_report_of_one_run_each_speaks_of_two_models(path, tmp_path):
    answered_in_groups(path, runs=1)
    seedwise("report", path, "-o", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "for these two models on new questions" in page
    assert "Group by group" not in page


def forecasts(seed, noise):
    """Predictions of a regression of diabetes from half the patients for the others."""
    features, true = load_diabetes(return_X_y=True)
    rng = np.random.default_rng(seed)
    some = rng.permutation(200)[:150]
    fitted = Ridge(alpha=noise).fit(features[some], true[some])
    return fitted.predict(features[200:]), true[200:]


def test_a_regression_has_the_errors_of_scikit_learn(path):
    for seed in range(5):
        for name, alpha in (("stiff", 10.0), ("loose", 0.1)):
            predicted, true = forecasts(seed, alpha)
            record(
                path, setup=name, seed=seed, predictions=predicted, targets=true, called="patients"
            )
    predicted, true = forecasts(0, 10.0)
    with Store.open(path, readonly=True) as store:
        run = store.runs()[0]
    assert run.metrics["mae"] == pytest.approx(mean_absolute_error(true, predicted), rel=1e-6)
    assert run.metrics["rmse"] == pytest.approx(root_mean_squared_error(true, predicted), rel=1e-6)
    assert run.metrics["r2"] == pytest.approx(r2_score(true, predicted), rel=1e-5)
    found = Study(path).compare("stiff", "loose", metric="rmse")
    assert found.outcome == "better"
    assert found.deciding.new_images is not None
    assert found.deciding.difference.estimate < 0
    assert Study(path).compare("stiff", "loose", metric="r2").outcome == "better"


@pytest.mark.parametrize(
    "true",
    [
        np.arange(60) % 45 + 20,  # ages, as integers
        (np.arange(60) % 5 + 1).astype(float),  # stars
        np.arange(60) % 4,  # counts
        (np.arange(60) % 3 - 1).astype(float),
    ],
)
def test_true_numbers_may_be_whole(path, true):
    """Targets of diabetes are whole numbers, and were taken for the labels of a classifier."""
    rng = np.random.default_rng(0)
    predicted = true + rng.normal(size=60)
    record(path, setup="a", seed=0, predictions=predicted, targets=true)
    with Store.open(path, readonly=True) as store:
        (run,) = store.runs()
    assert run.metrics["mae"] == pytest.approx(mean_absolute_error(true, predicted), rel=1e-6)


@pytest.mark.parametrize(
    "predicted",
    [np.arange(60) % 4, (np.arange(60) % 4).astype(float), np.linspace(0.3, 1, 60)],
)
def test_chosen_classes_and_how_sure_they_are_is_no_regression(path, predicted):
    with pytest.raises(DataError, match="predictions"):
        record(path, setup="a", seed=0, predictions=predicted, targets=np.arange(60) % 4)


@pytest.mark.parametrize("labels", [(0, 1), (-1, 1), (0.0, 1.0)])
def test_two_classes_are_no_regression(path, labels):
    targets = np.array(labels)[np.arange(60) % 2]
    made = {"predictions": np.linspace(-2, 3, 60), "targets": targets}
    record(path, setup="a", seed=0, **made, watch=[].append)
    assert "accuracy" in Study(path).summary().setups[0].metrics


def test_errors_of_examples_have_the_spread_of_the_jackknife():
    rng = np.random.default_rng(4)
    true = rng.normal(size=200)
    predicted = true + 0.5 * rng.normal(size=200)
    found = regression_scores(predicted, true)
    assert found is not None
    for name, function in (("rmse", root_mean_squared_error), ("r2", r2_score)):
        whole = function(true, predicted)
        without = [
            function(np.delete(true, place), np.delete(predicted, place)) for place in range(200)
        ]
        pseudo = 200 * whole - 199 * np.array(without)
        assert found[name].std(dtype=float) == pytest.approx(pseudo.std(), rel=0.05)
        assert np.corrcoef(found[name], pseudo)[0, 1] > 0.99


def test_a_text_classifier_is_compared_by_macro_f1(path):
    """Texts of two topics, of which one setup sees few and the other many."""
    words = {"sea": "wave tide salt boat gull reef", "hill": "rock path peak goat fern mist"}
    rng = np.random.default_rng(0)
    texts, topics = list[str](), list[str]()
    for topic in rng.choice(list(words), 400, p=[0.7, 0.3]):
        other = "hill" if topic == "sea" else "sea"
        own, alien = words[topic].split(), words[other].split()
        picked = [*rng.choice(own, 3), *rng.choice(alien, 2)]
        texts.append(" ".join(rng.permutation(picked)))
        topics.append(str(topic))
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(200)
        for name, number in (("few", 15), ("many", 150)):
            some, model = order[:number], make_pipeline(CountVectorizer(), LogisticRegression())
            model.fit([texts[i] for i in some], [topics[i] for i in some])
            record(
                path,
                setup=name,
                seed=seed,
                predictions=model.predict_log_proba(texts[200:]),
                targets=topics[200:],
                called="texts",
            )
    found = Study(path).compare("few", "many", metric="macro_f1")
    predicted = model.predict(texts[200:])
    expected = f1_score(topics[200:], predicted, average="macro")
    assert found.deciding.values_b[-1] == pytest.approx(expected, rel=1e-5)
    assert found.outcome == "better"
    assert found.deciding.new_images is not None
