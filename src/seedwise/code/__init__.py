"""The code that makes a run: what identifies it, what of it changed, and the commit it is of."""
