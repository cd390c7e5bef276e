"""Optimizers and learning-rate schedules."""

from seedwise.optim.catalog import OPTIMIZERS, Update, build, decayed_before_step
from seedwise.optim.ranger import Ranger
from seedwise.optim.schedules import flat_cos

__all__ = ["OPTIMIZERS", "Ranger", "Update", "build", "decayed_before_step", "flat_cos"]
