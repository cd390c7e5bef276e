"""Plans that the parts of a study fixed before their first runs, joined to one.

A plan is JSON, under the choice `PLAN`: the names of its `setups`, its `seeds` as text, the `rule`
of its verdicts, `stop`, the rule by which it stops or null, and of a suite its `tasks`. What else
the words mean is known where plans are made and held to: `seedwise.comparison.rule`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["BANK", "FOLDS_KEPT", "PLAN", "VIEWS_KEPT", "PlannedPart", "changed", "joined"]

PLAN = "plan"
"""The choice under which a study keeps what was fixed before its first run."""

BANK = "bank"
"""The choice under which a study keeps its bank; in a run's `made_by`, the bank it is from."""

FOLDS_KEPT = "folds"
"""The choice under which a study keeps that its runs are folds of cross-validations."""

VIEWS_KEPT = "views"
"""The choice under which a study keeps the names of the views that its runs end with, where they
are more than the notebook's two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPart:
    """One of the studies that are put together.

    Attributes:
        name: Name of its file.
        plan: What it fixed.
        fixed: When it did.
        first_result: When its first finished or diverged run ended; None without one.
    """

    name: str
    plan: Mapping[str, Any]
    fixed: datetime
    first_result: datetime | None

    @property
    def seeds(self) -> frozenset[str]:
        """The seeds that it planned."""
        return frozenset(self.plan["seeds"])


def changed(was: str, now: str) -> str | None:
    """In what the rules of two plans differ, in words; None where they are one.

    >>> changed('{"rule": {"margin": null}}', '{"rule": {"margin": 0.01}}')
    'margin is 0.01, not null'
    """
    try:
        before, here = (_held_to(json.loads(plan)) for plan in (was, now))
        keys = sorted(key for key in {*before, *here} if before.get(key) != here.get(key))
    except (ValueError, TypeError, KeyError, AttributeError):  # not written by seedwise
        return None if was == now else "it cannot be read as one"
    return (
        ", ".join(
            f"{key} is {json.dumps(here.get(key))}, not {json.dumps(before.get(key))}"
            for key in keys
        )
        or None
    )


def _held_to(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """Choices that parts must have in common: the rule of verdicts, and the tasks of the runs."""
    return {**plan["rule"], "tasks": plan.get("tasks")}


def joined(parts: Sequence[PlannedPart]) -> Mapping[str, Any]:
    """The plan of several parts, whose rules are one.

    Parts of the same setups without a stopping rule have the seeds of all. Where a part's seeds
    were fixed after another part had results, whoever fixed them may have seen these: such parts
    are named under `late`, and no verdict on the whole is confirmatory. Parts that planned the
    same seeds, each to make some of them, are never late. In other cases the first plan stands.
    """
    first = parts[0].plan
    alike = all(
        set(part.plan["setups"]) == set(first["setups"]) and not part.plan.get("stop")
        for part in parts
    )
    if not alike or len({part.seeds for part in parts}) == 1:
        return first
    late = [
        name
        for part in parts
        for name in (*part.plan.get("late", ()), *([part.name] if _is_late(part, parts) else ()))
    ]
    seeds = dict.fromkeys(seed for part in parts for seed in part.plan["seeds"])
    plan = {**first, "seeds": list(seeds)}
    return {**plan, "late": list(dict.fromkeys(late))} if late else plan


def _is_late(part: PlannedPart, parts: Sequence[PlannedPart]) -> bool:
    """True if its seeds were fixed after a part that planned others had results."""
    fixed = min(each.fixed for each in parts if each.seeds == part.seeds)
    return any(
        each.first_result is not None and each.first_result < fixed
        for each in parts
        if each.seeds != part.seeds
    )
