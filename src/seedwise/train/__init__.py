"""The built-in training: a function of (setup, seed, data)."""
