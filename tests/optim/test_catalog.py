import pytest
import torch

from helpers.reference import golden
from seedwise.models import initialise, xresnet10_narrow, xresnet18
from seedwise.optim import OPTIMIZERS, build
from seedwise.setups import KNOWN, Setup


def test_the_catalogue_holds_the_names_that_a_setup_may_say():
    assert sorted(OPTIMIZERS) == sorted(KNOWN["optimizer"])


def test_v1_decays_the_tensors_that_fastai_1_did():
    model = xresnet18()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed, kept = golden("train_tieout_groups.json")["v1"]["sa1"]
    assert sorted(names[id(p)] for p in build(Setup(), model).decayed) == sorted(decayed)
    assert len(decayed) + len(kept) == 70


@pytest.mark.parametrize("optimizer", KNOWN["optimizer"])
@pytest.mark.parametrize("form", ["v1", "v2"])
def test_decay_alone_shrinks_weights_by_one_minus_rate_times_lr(optimizer, form):
    setup = Setup(optimizer=optimizer, decay_form=form, weight_decay=0.5)
    model = xresnet10_narrow()
    initialise(model, 0)
    before = model[0][0].weight.detach().clone()
    norm_before = model[0][1].weight.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    build(setup, model).step(0.1)
    torch.testing.assert_close(model[0][0].weight.detach(), before * 0.95)
    factor = 1.0 if form == "v1" else 0.95
    torch.testing.assert_close(model[0][1].weight.detach(), norm_before * factor)
