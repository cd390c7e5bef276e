import numpy as np
import pytest
import torch

from seedwise.errors import DataError
from seedwise.executors.outcome import LOGIT_FLOOR, as_record

targets = np.array([0, 1, 2])


def test_predictions_become_one_view_of_float16_logits():
    logits = np.random.default_rng(0).normal(size=(3, 4))
    record = as_record({"predictions": logits, "targets": targets}, seconds=2.0)
    assert record.state == "finished"
    assert record.views == ("original",)
    assert record.seconds == 2.0
    wanted = logits - logits.max(axis=-1, keepdims=True)
    np.testing.assert_array_equal(record.logits, wanted.astype(np.float16)[None])
    np.testing.assert_array_equal(record.targets, targets)


@pytest.mark.parametrize(
    ("count", "names"),
    [(2, ("original", "mirrored")), (3, ("view0", "view1", "view2"))],
)
def test_views_are_named(count, names):
    assert as_record({"predictions": np.zeros((count, 3, 4))}, seconds=0.0).views == names


def test_a_probability_of_zero_is_kept_as_the_floor():
    record = as_record({"predictions": np.array([[0.0, -np.inf]])}, seconds=0.0)
    assert record.state == "finished"
    assert record.logits[0, 0, 1] == np.float16(LOGIT_FLOOR)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_makes_the_run_diverged(bad):
    record = as_record({"predictions": np.array([[0.0, bad]])}, seconds=0.0)
    assert (record.state, record.logits) == ("diverged", None)


def test_a_number_is_a_metric_and_nan_is_divergence():
    assert as_record(0.93, seconds=0.0).metrics == {"value": 0.93}
    record = as_record(float("nan"), seconds=0.0)
    assert (record.state, record.metrics, record.error) == ("diverged", {}, "value was nan")


def test_a_metric_that_is_not_finite_beside_others_is_divergence_under_it_alone():
    record = as_record({"accuracy": 0.9, "loss": float("nan")}, seconds=0.0)
    assert (record.state, record.metrics, record.not_finite) == (
        "finished",
        {"accuracy": 0.9},
        ("loss",),
    )


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16"])
def test_tensors_are_taken_as_a_model_gives_them(kind):
    layer = torch.nn.Linear(2, 3).to(getattr(torch, kind))
    logits = layer(torch.ones(4, 2, dtype=layer.weight.dtype))
    assert logits.requires_grad
    labels = torch.tensor([0, 1, 2, 0])
    outcome = {"predictions": logits, "targets": labels, "loss": logits.square().mean()}
    record = as_record(outcome, seconds=0.0)
    wanted = logits.detach().float().numpy()
    wanted = (wanted - wanted.max(axis=-1, keepdims=True)).astype(np.float16)
    np.testing.assert_array_equal(record.logits[0], wanted)
    assert record.metrics["loss"] > 0
    assert as_record(torch.tensor(0.5), seconds=0.0).metrics == {"value": 0.5}
    assert as_record(np.array([0.5]), seconds=0.0).metrics == {"value": 0.5}


def test_metrics_may_come_with_predictions():
    outcome = {"predictions": np.zeros((3, 4)), "targets": targets, "f1": 0.5}
    record = as_record(outcome, seconds=0.0)
    assert record.metrics == {"f1": 0.5}
    assert record.logits is not None
    record = as_record({**outcome, "f1": float("inf")}, seconds=0.0)
    assert (record.state, record.metrics, record.not_finite) == ("finished", {}, ("f1",))
    assert record.logits is not None


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"accuracy": 1.001}, "must be a fraction"),
        ({"accuracy": -0.001}, "must be a fraction"),
        ({"accuracy": 93.1}, r"accuracy must be a fraction from 0 to 1, got 93\.1"),
        ({"predictions": np.zeros((3, 4)), "f1": "x"}, "'predictions': ndarray, 'f1': str"),
        (None, "must return predictions, scores, metrics or a number, got NoneType;"),
        ({}, "must return predictions"),
        ({"accuracy": "good"}, "must return predictions"),
        ({"predictions": np.zeros((1, 1, 3, 4))}, r"examples x classes .* got float64 \(1, 1, 3"),
        (
            {"predictions": np.ones(3), "targets": targets},
            "two classes.* examples x classes",
        ),
        ({"predictions": np.zeros((3, 4), int)}, r"must be floats.* got int64 \(3, 4\)$"),
        ({"predictions": np.zeros(3, int)}, "return the logits, not the classes"),
        ({"predictions": np.zeros((3, 4)), "targets": [0, 1]}, "must be 3 class numbers"),
        ({"predictions": np.zeros((3, 4)), "targets": [0, 1, 4]}, "from 0 to 3"),
        ({"predictions": np.zeros((3, 4)), "targets": [0.0, 1, 2]}, "must be 3 class numbers"),
    ],
)
def test_other_outcomes_are_refused_with_what_was_given(outcome, message):
    with pytest.raises(DataError, match=message):
        as_record(outcome, seconds=0.0)
