"""Models by name, and their initial weights."""
