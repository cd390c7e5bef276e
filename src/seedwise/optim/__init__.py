"""Optimizers and learning-rate schedules."""

from seedwise.optim.catalog import OPTIMIZERS, Update, build
from seedwise.optim.ranger import Ranger
from seedwise.optim.schedules import flat_cos

__all__ = ["OPTIMIZERS", "Ranger", "Update", "build", "flat_cos"]
