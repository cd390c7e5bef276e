"""The parts of a model as a CPU does them fast: compiled loops where memory is the limit."""
