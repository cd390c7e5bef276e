"""Ranger against forty steps of the original ranger.py on stored gradients."""

import numpy as np
import pytest
import torch

from helpers.reference import DTYPES, golden
from seedwise.optim import Ranger
from seedwise.optim.ranger import step_size

CASES = golden("ranger.json")["cases"]
TOLERANCE = {"64": 1e-12, "32": 2e-6}


def ranger_for(case, parameters):
    hyper = {k: tuple(v) if isinstance(v, list) else v for k, v in case["hyper"].items()}
    decays = case["weight_decay_per_tensor"]
    groups = [
        {"params": [parameter], "weight_decay": decay}
        for parameter, decay in zip(parameters, decays, strict=True)
    ]
    return Ranger(groups, **hyper)


@pytest.mark.parametrize("bits", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_every_step_is_that_of_the_original(name, bits):
    arrays, case, dtype = golden("ranger.npz"), CASES[name], DTYPES[bits]
    parameters = [torch.tensor(arrays[f"p0_{i}"], dtype=dtype) for i in range(4)]
    ranger = ranger_for(case, parameters)
    for step in range(40):
        for group in ranger.param_groups:
            group["lr"] = float(arrays[f"{name}__lrs"][step])
        for i, parameter in enumerate(parameters):
            without = step in case["grad_is_None_at_steps"].get(str(i), ())
            gradient = torch.tensor(arrays[f"grads_{i}"][step], dtype=dtype)
            parameter.grad = None if without else gradient
        ranger.step()
        for i, parameter in enumerate(parameters):
            want = arrays[f"{name}__traj{bits}_{i}"][step + 1]
            np.testing.assert_allclose(parameter.numpy(), want, rtol=0, atol=TOLERANCE[bits])


def test_a_saved_state_goes_on_as_if_never_interrupted():
    rng = torch.Generator().manual_seed(0)
    start = torch.randn(5, generator=rng)
    gradients = torch.randn(20, 5, generator=rng)
    whole, first, second = start.clone(), start.clone(), start.clone()

    def steps(parameter, ranger, some):
        for gradient in some:
            parameter.grad = gradient
            ranger.step()

    steps(whole, Ranger([whole], lr=0.1), gradients)
    saved = Ranger([first], lr=0.1)
    steps(first, saved, gradients[:8])
    second.copy_(first)
    resumed = Ranger([second], lr=0.1)
    resumed.load_state_dict(saved.state_dict())
    steps(second, resumed, gradients[8:])
    assert torch.equal(second, whole)


def test_the_first_five_steps_are_not_adaptive():
    assert [step_size(count, 0.95, 0.99)[1] for count in range(1, 8)] == [False] * 5 + [True] * 2


@pytest.mark.parametrize("bad", [{"lr": 0}, {"eps": 0}, {"k": 0}, {"alpha": 1.5}])
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match="Ranger needs"):
        Ranger([torch.zeros(1)], **bad)
