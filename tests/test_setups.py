import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedwise.errors import InvalidSetup, UnknownName
from seedwise.setups import FIELDS, KNOWN, RECIPES, Setup

setups = st.builds(
    Setup,
    lr=st.floats(1e-9, 1e3),
    epochs=st.integers(1, 100),
    activation=st.sampled_from(KNOWN["activation"]),
    area=st.tuples(st.floats(0.01, 0.5), st.floats(0.5, 1)),
    pixels=st.none() | st.integers(8, 500),
    deterministic=st.sampled_from([True, False, "auto"]),
)


@given(setups)
def test_a_setup_is_read_back_from_its_canonical_form(setup):
    assert Setup.from_json(setup.to_json()) == setup


@given(setups, setups)
def test_keys_are_equal_exactly_where_setups_are(a, b):
    assert (a.key == b.key) == (a == b)


def test_the_default_is_the_published_recipe():
    """Field by field, from the notebook as the design page lists it."""
    setup = RECIPES["page-v1"].setup
    assert setup == Setup()
    assert json.loads(setup.to_json()) == {
        "model": "xresnet18",
        "self_attention": True,
        "activation": "mish",
        "optimizer": "ranger",
        "lr": 4e-3,
        "betas": [0.95, 0.99],
        "eps": 1e-6,
        "weight_decay": 1e-2,
        "decay_form": "v1",
        "schedule_form": "v1",
        "flat": 0.72,
        "epochs": 5,
        "batch_size": 64,
        "size": 128,
        "pixels": None,
        "area": [0.35, 1.0],
        "aspect": [0.75, 4 / 3],
        "mirror": 0.5,
        "label_smoothing": 0.1,
        "precision": "auto",
        "deterministic": "auto",
        "loader": "auto",
        "train": "seedwise.train:train",
    }


def test_the_key_of_the_default_setup_never_changes():
    assert Setup().key == "3aac42bb4ffd"


def test_an_integer_and_a_float_of_one_value_are_one_setup():
    assert Setup(lr=1).key == Setup(lr=1.0).key
    assert Setup(betas=[0, 0.5]).key == Setup(betas=(0.0, 0.5)).key


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("lr", 0),
        ("lr", float("nan")),
        ("lr", "fast"),
        ("lr", True),
        ("betas", (0.9, 1.0)),
        ("betas", (0.9,)),
        ("betas", 0.9),
        ("weight_decay", -0.1),
        ("flat", 1.0),
        ("epochs", 0),
        ("epochs", 2.0),
        ("batch_size", 1),
        ("size", 7),
        ("pixels", "160"),
        ("area", (0.9, 0.5)),
        ("aspect", (0, 1)),
        ("mirror", 1.5),
        ("label_smoothing", 1),
        ("self_attention", 1),
        ("deterministic", "yes"),
        ("train", "os.system"),
        ("train", "a b:c"),
        ("model", 18),
    ],
)
def test_a_bad_value_is_refused_by_name_with_what_is_allowed(field, bad):
    with pytest.raises(InvalidSetup, match=f"^{field} must be .*, got ") as caught:
        Setup(**{field: bad})
    assert repr(bad) in str(caught.value)


@pytest.mark.parametrize("field", KNOWN)
def test_an_unknown_name_is_refused_with_those_known(field):
    with pytest.raises(UnknownName, match=f"unknown {field} 'nonsense'"):
        Setup(**{field: "nonsense"})


def test_an_unknown_field_gets_a_suggestion():
    with pytest.raises(UnknownName, match="did you mean 'label_smoothing'"):
        Setup().but(label_smooting=0.1)


@given(setups, setups)
def test_differences_lead_from_one_setup_to_the_other(a, b):
    changes = {name: pair[1] for name, pair in a.differences(b).items()}
    assert a.but(**changes) == b


def test_every_field_is_described():
    assert all(f"        {name}: " in (Setup.__doc__ or "") for name in FIELDS)
