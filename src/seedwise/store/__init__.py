"""The study file. Nothing else in seedwise speaks SQL."""

from seedwise.store.store import Store
from seedwise.store.stored import StoredRepeat, StoredRun, StudyFacts

__all__ = ["Store", "StoredRepeat", "StoredRun", "StudyFacts"]
