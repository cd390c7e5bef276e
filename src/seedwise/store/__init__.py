"""The study file. Nothing else in seedwise speaks SQL."""

from seedwise.store.check import Health, check_study
from seedwise.store.codes import StoredCode
from seedwise.store.merge import Conflicts, merge_studies
from seedwise.store.naming import Dropped
from seedwise.store.plans import BANK, FOLDS_KEPT, PLAN
from seedwise.store.repair import Repaired, repair_study
from seedwise.store.rows import logits_digest
from seedwise.store.store import Store
from seedwise.store.stored import StoredRepeat, StoredRun, StudyFacts

__all__ = [
    "BANK",
    "FOLDS_KEPT",
    "PLAN",
    "Conflicts",
    "Dropped",
    "Health",
    "Repaired",
    "Store",
    "StoredCode",
    "StoredRepeat",
    "StoredRun",
    "StudyFacts",
    "check_study",
    "logits_digest",
    "merge_studies",
    "repair_study",
]
