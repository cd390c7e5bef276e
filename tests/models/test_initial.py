import pytest
import torch

from helpers.reference import golden, roles
from seedwise.errors import UnknownName
from seedwise.models import MODELS, build, initialise, xresnet10_narrow, xresnet18, xresnet50
from seedwise.models.blocks import ACTIVATIONS
from seedwise.setups import KNOWN


def weights(model, seed=0):
    initialise(model, seed)
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_catalogues_hold_the_names_that_a_setup_may_say():
    assert sorted(MODELS) == sorted(KNOWN["model"])
    assert sorted(ACTIVATIONS) == sorted(KNOWN["activation"])


@pytest.mark.parametrize("attention", [True, False])
def test_parameters_are_the_notebooks_in_its_order(attention):
    want = [(entry["name"], tuple(entry["shape"])) for entry in roles(attention)]
    model = xresnet18(self_attention=attention)
    assert [(name, tuple(p.shape)) for name, p in model.named_parameters()] == want
    count = golden("model_params.json")[f"sa{int(attention)}"]["n_params"]
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_initial_weights_have_the_statistics_of_the_notebooks():
    """N(0, 2 / fan_in), norms 1, last norms and gamma 0."""
    drawn = weights(xresnet18())
    expected = {row["name"]: row["expected_std"] for row in golden("init_stats.json")["rows"]}
    for entry in roles(attention=True):
        values, role = drawn[entry["name"]].double(), entry["role"]
        if role in ("conv_weight", "sa_conv_weight", "linear_weight"):
            std = expected[entry["name"]]
            # mean and standard deviation of n normal draws, within 5 standard errors
            assert abs(values.mean()) < 5 * std / values.numel() ** 0.5
            assert abs(values.std() / std - 1) < 5 / (2 * values.numel()) ** 0.5
        else:
            assert (values == (1.0 if role == "bn_weight" else 0.0)).all()


def test_spectral_vectors_have_length_one():
    drawn = weights(xresnet18())
    for name in ("weight_u", "weight_v"):
        assert drawn[f"4.1.convpath.2.conv.{name}"].norm().item() == pytest.approx(1, abs=1e-6)


def test_another_layer_leaves_the_other_weights_alone():
    """Attention and a change of classes take nothing from the layers that both models have."""
    plain = weights(xresnet18(self_attention=False))
    for other in (weights(xresnet18()), weights(xresnet18(activation="relu"))):
        shared = plain.keys() & other.keys()
        assert len(shared) == len(plain)
        assert all(torch.equal(plain[name], other[name]) for name in shared)


def test_seeds_differ_and_one_seed_repeats():
    first, again, other = (weights(xresnet10_narrow(), seed) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.0.weight"], other["0.0.weight"])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("activation", ["mish", "relu"])
def test_every_model_gives_logits_and_gradients(name, activation):
    model = build(name, classes=7, self_attention=True, activation=activation)
    initialise(model, 0)
    logits = model(torch.randn(2, 3, 40, 36, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_xresnet50_has_the_bottlenecks_of_fastai():
    """25,576,264 parameters of stock fastai 2.8 with 1000 classes, and the wider stem's."""
    model = xresnet50(classes=1000, self_attention=False)
    stem = 32 * 64 * 9 + 64 * 2 + 64 * 64 * 9 - (32 * 32 * 9 + 32 * 2 + 32 * 64 * 9)
    assert sum(parameter.numel() for parameter in model.parameters()) == 25_576_264 + stem


def test_unknown_names_get_a_suggestion():
    with pytest.raises(UnknownName, match="did you mean 'xresnet18'"):
        build("xresnet81", classes=10, self_attention=True, activation="mish")
    with pytest.raises(UnknownName, match="did you mean 'mish'"):
        build("xresnet18", classes=10, self_attention=True, activation="mich")
