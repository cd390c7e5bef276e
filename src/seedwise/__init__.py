"""seedwise tells whether training setup B really beats setup A."""

from seedwise.errors import SeedwiseError
from seedwise.seeds import Seed
from seedwise.setups import RECIPES, Setup

__all__ = ["RECIPES", "Seed", "SeedwiseError", "Setup"]
