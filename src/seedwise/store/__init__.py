"""The study file. Nothing else in seedwise speaks SQL."""

from seedwise.store.store import Store
from seedwise.store.stored import StoredRun, StudyFacts

__all__ = ["Store", "StoredRun", "StudyFacts"]
