"""Trainings of other libraries. Each module needs its library, which an extra brings."""
