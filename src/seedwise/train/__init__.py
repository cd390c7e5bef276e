"""The built-in training: a function of (setup, seed, data).

The rest of seedwise reaches it by name ("seedwise.train:train"), so that a study of a user's own
function needs no torch.
"""

from seedwise.train.machine import Machine, choose, gpu_count, over_cards
from seedwise.train.trainer import train

__all__ = ["Machine", "choose", "gpu_count", "over_cards", "train"]
