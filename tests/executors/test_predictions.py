import warnings
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from seedwise.errors import DataError, StudyError
from seedwise.executors.outcome import as_record
from seedwise.executors.predictions import LOGIT_FLOOR, as_classes, as_logits
from seedwise.stats import accuracy, cross_entropy
from seedwise.store import Store
from seedwise.study import Study, record
from seedwise.words.cautions import cautions

TARGETS = np.arange(60) % 3


def softmax(rows):
    e = np.exp(rows - rows.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def model(seed, sharpness=2.0):
    """Logits that are right on about 9 of 10 examples."""
    rows = np.random.default_rng(seed).normal(size=(60, 3))
    rows[np.arange(60), TARGETS] += 2
    return sharpness * rows


def log_loss(rows, targets):
    return -np.log(softmax(rows.astype(float))[np.arange(len(targets)), targets]).mean()


@pytest.mark.parametrize("offset", [1e3, -1e4, 3e4, -5e6, 1e12])
def test_an_offset_that_all_classes_share_changes_nothing(offset):
    rows = np.round(model(0) * 64) / 64  # sums that float64 has exactly
    shifted, kind = as_logits(rows + offset)
    np.testing.assert_array_equal(shifted, as_logits(rows)[0])
    assert kind is None
    assert accuracy(shifted, TARGETS) == np.mean(rows.argmax(1) == TARGETS)
    assert cross_entropy(shifted, TARGETS) == pytest.approx(log_loss(rows, TARGETS), rel=1e-3)


@given(
    arrays(np.float32, (4, 3), elements=st.floats(-1000, 1000, width=32)),
    st.sampled_from([0, 2**14, -(2**14)]),
)
def test_the_largest_of_a_row_stays_the_largest(rows, offset):
    """float32 holds sums with 2^14 to 2^-9, and no more is asked of what comes back."""
    rows = np.round(rows * 64) / 64
    kept = as_logits(rows + np.float32(offset))[0][0]
    assert (kept.max(axis=-1) == 0).all()
    assert (np.take_along_axis(kept, rows.argmax(-1)[:, None], -1) == 0).all()
    apart = rows.max(axis=-1, keepdims=True) - rows
    assert (kept[apart > 0] < 0).all()
    np.testing.assert_allclose(-kept, apart, rtol=1e-3, atol=1e-3)


def test_distances_are_as_good_as_logits():
    """Squared distances of grey levels to 255: all of them were below the floor."""
    images, targets = load_digits(return_X_y=True)
    images = images * 16
    centroids = np.array([images[targets == digit].mean(axis=0) for digit in range(10)])
    far = -((images[:, None] - centroids) ** 2).sum(-1)
    right = np.mean(far.argmax(axis=1) == targets)
    assert right > 0.85
    assert far.max() < LOGIT_FLOOR
    kept, kind = as_logits(far)
    assert accuracy(kept, targets) == pytest.approx(right, abs=1e-9)
    assert kind == "wide"


@pytest.mark.parametrize(
    ("row", "kept", "kind"),
    [
        ([0.0, -np.inf], [0, LOGIT_FLOOR], None),
        ([-np.inf, -3e5], [LOGIT_FLOOR, 0], None),
        ([1e6, 0.0], [0, LOGIT_FLOOR], "wide"),
        ([1e308, -1e308], [0, LOGIT_FLOOR], "wide"),
        ([-1e4, 0.0], [LOGIT_FLOOR, 0], None),
        ([-1e4, -2e4 - 16], [0, LOGIT_FLOOR], "wide"),
        ([6e4, -6e4], [0, LOGIT_FLOOR], "wide"),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_the_floor_is_counted_from_the_largest_of_the_row(row, kept, kind, dtype):
    if abs(np.array(row))[np.isfinite(row)].max() > np.finfo(dtype).max:
        pytest.skip("no number of this kind")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, said = as_logits(np.array([row], dtype))
    np.testing.assert_array_equal(found[0, 0], np.array(kept, np.float16))
    assert said == kind


@pytest.mark.parametrize("row", [[np.nan, 0], [np.inf, 0], [-np.inf, -np.inf], [np.inf, -np.inf]])
def test_a_row_without_a_largest_number_stays_without(row):
    assert not np.isfinite(as_logits(np.array([[0.0, 1.5], row]))[0]).all()


def test_narrow_floats_are_read_as_they_are():
    rows = model(0).astype(np.float16)
    np.testing.assert_array_equal(as_logits(rows)[0], as_logits(rows.astype(np.float64))[0])
    assert as_logits(rows.astype(np.longdouble))[0].dtype == np.float16
    with pytest.raises(DataError, match=r"must be floats.*\|V2"):
        as_logits(rows.view("V2"))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize(("times", "kind"), [(1, "probabilities"), (100, "percentages")])
def test_probabilities_become_their_logarithms(dtype, times, kind):
    rows = model(1)
    kept, said = as_logits((times * softmax(rows)).astype(dtype))
    assert said == kind
    assert cross_entropy(kept, TARGETS) == pytest.approx(log_loss(rows, TARGETS), rel=5e-3)
    two, _ = as_logits(np.stack([softmax(rows), softmax(2 * rows)]))
    assert two.shape == (2, 60, 3)


def test_probabilities_with_two_decimals_are_seen_too():
    assert as_logits(np.round(softmax(model(1)), 2))[1] == "probabilities"
    assert as_logits(np.full((5, 4), 0.25))[1] == "probabilities"


def test_a_class_that_is_ruled_out_is_kept_as_the_floor():
    kept, kind = as_logits(np.array([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]]))
    assert kind == "probabilities"
    assert kept[0, 0, 2] == kept[0, 1, 1] == LOGIT_FLOOR


def test_one_hot_rows_are_classes():
    for times in (1.0, 100.0):
        kept, kind = as_logits(times * np.eye(3)[TARGETS])
        assert kind == "one-hot"
        assert accuracy(kept, TARGETS) == 1


@pytest.mark.parametrize(
    "rows",
    [
        model(0),
        np.log(softmax(model(0))),
        1 / (1 + np.exp(-model(0))),  # one class against the rest: no row adds up
        np.vstack([softmax(model(0)), [[0.5, 0.5, 0.5]]]),
        softmax(model(0)) - 0.5,
        np.zeros((4, 3)),
    ],
)
def test_what_does_not_add_up_stays_logits(rows):
    kept, kind = as_logits(rows)
    assert kind is None
    wanted = (rows - rows.max(axis=-1, keepdims=True)).astype(np.float16)
    np.testing.assert_array_equal(kept[0], wanted)


def test_recorded_probabilities_are_said_once_a_setup(tmp_path):
    path, said = tmp_path / "s.db", []
    for seed in range(3):
        for setup in ("a", "b"):
            made = {"predictions": softmax(model(seed)), "targets": TARGETS}
            record(path, setup=setup, seed=seed, **made, watch=said.append)
    record(path, setup="c", seed=0, predictions=model(0), watch=said.append)
    assert [each.text for each in said] == [
        f"{setup}: predictions are probabilities (each row adds up to 1); kept as their logarithms"
        for setup in "ab"
    ]
    found = Study(path).compare("a", "c", metric="cross_entropy")
    (value, *_) = found.deciding.values_a
    assert value == pytest.approx(log_loss(model(0), TARGETS), rel=2e-3)
    with pytest.warns(UserWarning, match="d: predictions are one-hot rows"):
        record(path, setup="d", seed=0, predictions=np.eye(3)[TARGETS])


def test_a_function_of_probabilities_is_said_once(tmp_path):
    def train(seed):
        return {"predictions": softmax(model(int(seed))), "targets": TARGETS}

    with pytest.warns(UserWarning, match="probabilities") as caught:
        Study(tmp_path / "s.db").run({"mine": train}, seeds=4)
    assert len(caught) == 1


def test_an_accuracy_that_the_predictions_deny_is_said_and_stays(tmp_path):
    path, said = tmp_path / "s.db", []
    for seed in range(4):
        right = float(np.mean(model(seed).argmax(1) == TARGETS))
        made = {"predictions": model(seed), "targets": TARGETS, "watch": said.append}
        record(path, setup="a", seed=seed, **made, metrics={"accuracy": round(right, 2)})
        turned = made | {"predictions": model(seed)[::-1]}
        record(path, setup="b", seed=seed, **turned, metrics={"accuracy": right, "f1": 0.1})
    assert len(said) == 4
    assert "b, seed 0: accuracy" in said[0].text
    assert "from its predictions, which decide" in said[0].text
    found = Study(path).compare("a", "b")
    assert [each.metric for each in found.b.disputes] == ["accuracy"] * 4
    assert found.a.disputes == ()
    notes = " ".join(cautions(found))
    assert "came with runs of b are not those of their predictions" in notes
    assert "seed 0 and 3 more" in notes
    with Store.open(path, readonly=True) as store:
        runs = {(run.setup, run.seed.init): run for run in store.runs()}
    assert runs["b", 0].metrics.keys() == {"accuracy", "f1"}


def test_any_of_the_accuracies_that_views_have_may_be_meant(tmp_path):
    first, second = model(0), model(7)
    views = np.stack([first, second])
    said = []
    hits = (views.argmax(-1) == TARGETS).mean(axis=1)
    averaged = np.mean(views.mean(0).argmax(-1) == TARGETS)
    assert len({*hits, averaged, hits.mean()}) >= 3
    for seed, value in enumerate([hits.mean(), hits[0], averaged, hits.mean() + 0.2]):
        record(
            tmp_path / "s.db",
            setup="a",
            seed=seed,
            predictions=views,
            targets=TARGETS,
            metrics={"accuracy": min(1.0, float(value))},
            watch=said.append,
        )
    assert ["seed 3" in each.text for each in said if "accuracy" in each.text] == [True]


def test_a_cross_entropy_is_held_against_the_predictions_too(tmp_path):
    said = []
    for seed, off in enumerate([1.0, 1.01, 1.5]):
        value = off * log_loss(model(seed), TARGETS)
        made = {"predictions": model(seed), "targets": TARGETS}
        metrics = {"cross_entropy": value, "loss": 9.0, "class_accuracy": 0.5}
        record(tmp_path / "s.db", setup="a", seed=seed, **made, metrics=metrics, watch=said.append)
    assert ["seed 2" in each.text for each in said] == [True]


def test_a_fraction_that_is_1_but_for_float32s_digits_is_1(tmp_path):
    seen = np.float32(1) + np.finfo(np.float32).eps
    assert seen > 1
    record(tmp_path / "s.db", setup="a", seed=0, metrics={"accuracy": float(seen)})
    record(tmp_path / "s.db", setup="a", seed=1, metrics={"accuracy": -1e-7})
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert [run.metrics["accuracy"] for run in store.runs()] == [1.0, 0.0]


BINARY = (TARGETS > 0).astype(int)


@pytest.mark.parametrize("shape", [(60,), (60, 1), (1, 60, 1)])
def test_one_logit_speaks_for_class_1(shape):
    logit = np.random.default_rng(0).normal(size=60) + 2 * BINARY - 1
    kept, kind = as_logits(logit.reshape(shape))
    assert (kept.shape, kind) == ((1, 60, 2), "one logit")
    assert accuracy(kept, BINARY) == np.mean((logit > 0) == BINARY)
    wanted = np.mean(np.log1p(np.exp(-logit * (2 * BINARY - 1))))  # the loss of a sigmoid
    assert cross_entropy(kept, BINARY) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_logit_that_is_not_finite_makes_the_run_diverged(bad):
    outcome = {"predictions": np.array([-1.0, bad, 2.0]), "targets": [0, 1, 1]}
    assert as_record(outcome, seconds=0.0).state == "diverged"


def test_one_probability_is_that_of_class_1():
    chance = 1 / (1 + np.exp(-(np.random.default_rng(0).normal(size=60) + 2 * BINARY - 1)))
    kept, kind = as_logits(chance)
    assert kind == "one probability"
    assert accuracy(kept, BINARY) == np.mean((chance > 0.5) == BINARY)
    wanted = -np.mean(np.log(np.where(BINARY, chance, 1 - chance)))
    assert cross_entropy(kept, BINARY) == pytest.approx(wanted, rel=1e-3)
    certain, kind = as_logits(BINARY.astype(float))
    assert (kind, accuracy(certain, BINARY)) == ("one-hot", 1)


def test_what_one_number_was_taken_for_is_said(tmp_path):
    margins = np.linspace(-1, 1, 60)
    with pytest.warns(UserWarning, match="logit or margin of class 1 against class 0"):
        record(tmp_path / "s.db", setup="a", seed=0, predictions=margins, targets=BINARY)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["cat", "dog"])[BINARY],
        np.array(["cat", "dog"], dtype=object)[BINARY],
        2 * BINARY - 1,
        2.0 * BINARY - 1,
        BINARY.astype(np.float32),
        BINARY.astype(np.float32)[:, None],
        BINARY.astype(bool),
        list(map(str, BINARY)),
    ],
)
def test_labels_are_numbered_in_their_order(labels):
    for predictions in (np.linspace(-1, 1, 60), np.eye(2)[BINARY] - 0.25):
        run = as_record({"predictions": predictions, "targets": labels}, seconds=0.0)
        np.testing.assert_array_equal(run.targets, BINARY)
    np.testing.assert_array_equal(as_classes(labels), BINARY)


def test_text_labels_of_a_model_of_scikit_learn(tmp_path):
    x, y = load_iris(return_X_y=True)
    names = load_iris().target_names[y]
    model = LogisticRegression(max_iter=1000).fit(x, names)
    for seed, predictions in enumerate([model.predict_proba(x), model.decision_function(x)]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # probabilities are said to be some
            record(tmp_path / "s.db", setup="a", seed=seed, predictions=predictions, targets=names)
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        logits, targets = store.logits([1, 2]), store.dataset().targets
    for each in logits:
        assert accuracy(each, targets) == model.score(x, names)


def test_labels_that_are_not_as_many_as_columns_are_refused():
    outcome = {"predictions": model(0), "targets": np.array(["cat", "dog"])[BINARY]}
    with pytest.raises(DataError, match=r"2 labels \('cat', 'dog'\), and predictions have 3 col"):
        as_record(outcome, seconds=0.0)


def test_bfloat16_of_numpy_and_jax():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    rows = model(0).astype(ml_dtypes.bfloat16)
    wanted, _ = as_logits(rows.astype(np.float32))
    for each in (rows, pytest.importorskip("jax.numpy").asarray(rows)):
        outcome = {"predictions": each, "targets": TARGETS, "f1": rows[0, 0]}
        run = as_record(outcome, seconds=0.0)
        np.testing.assert_array_equal(run.logits, wanted)
        assert run.metrics == {"f1": float(rows[0, 0])}


@pytest.mark.parametrize(
    ("dataset", "flag"), [(load_iris, True), (load_digits, True), (load_digits, False)]
)
def test_decisions_between_pairs_of_classes_are_refused(dataset, flag, tmp_path):
    """With targets beside them, or where the study has these."""
    x, y = dataset(return_X_y=True)
    scores = SVC(decision_function_shape="ovo").fit(x[::2], y[::2]).decision_function(x[1::2])
    count = len(np.unique(y))
    assert scores.shape[1] == len(list(combinations(range(count), 2)))
    if flag:
        with pytest.raises(DataError, match="SVC\\(decision_function_shape='ovr'\\)"):
            as_record({"predictions": scores, "targets": y[1::2]}, seconds=0.0)
        return
    study = Study(tmp_path / "s.db", targets=y[1::2])
    with pytest.raises(StudyError, match="SVC\\(decision_function_shape='ovr'\\)"):
        study.run({"pairs": lambda _: {"predictions": scores}}, seeds=1, watch=lambda _: None)


@pytest.mark.parametrize("seed", range(20))
def test_scores_of_classes_are_no_decisions_between_pairs(seed):
    """Three classes have three pairs: a bad model's scores are not taken for decisions."""
    rng = np.random.default_rng(seed)
    for classes in (3, 4):
        targets = rng.integers(0, classes, 200)
        scores = rng.normal(size=(200, classes * (classes - 1) // 2))
        scores[np.arange(200), targets] += rng.uniform(0, 2)
        run = as_record({"predictions": scores, "targets": targets}, seconds=0.0)
        assert run.state == "finished"
