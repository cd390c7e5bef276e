"""The last sections: what went wrong, what was compared, how it was made, and what to copy."""

import json
from collections.abc import Iterator
from typing import Any

from seedwise.comparison.history import environments, lost_runs
from seedwise.data.splits import Split
from seedwise.report.charts import Table
from seedwise.report.findings import Findings
from seedwise.report.markdown import pull_request
from seedwise.report.page.parts import Block, Copyable, Listed, Said, Section
from seedwise.report.papers import paper_table
from seedwise.setups import BUILT_IN

__all__ = ["copy_section", "lost_section", "origin_section", "setups_section"]


def lost_section(found: Findings) -> Section:
    """Diverged and failed runs."""
    lost = lost_runs([run for name in found.setups for run in found.runs[name]])
    if not lost:
        return Section("lost", "Failed and diverged runs", (Said("None."),))
    rows = [(one.setup, str(one.seed), one.state, str(one.tries), one.error) for one in lost]
    text = (
        "A diverged run is a result, and counts in every verdict. A failed one is the machine's "
        "fault, and is tried again by the same command."
    )
    table = Table.of(("setup", "seed", "state", "tries", "error"), rows)
    return Section("lost", "Failed and diverged runs", (Said(text), Listed("", table)))


def setups_section(found: Findings) -> Section:
    """The setups, as what differs from the baseline, and whole."""
    setups = {name: found.study.setup_of(name) for name in found.setups}
    first = setups[found.setups[0]]
    blocks = list[Block]()
    if len(found.setups) > 1:
        changed = {name: first.differences(setups[name]) for name in found.setups[1:]}
        fields = dict.fromkeys(field for each in changed.values() for field in each)
        rows = [
            (field, *(_value(getattr(setups[name], field)) for name in found.setups))
            for field in fields
        ]
        if rows:
            blocks.append(Listed("What differs", Table.of(("field", *found.setups), rows)))
        else:
            blocks.append(Said("As far as seedwise knows them, the setups are the same."))
    blocks += [
        Listed(
            f"{name}, whole (key {setups[name].key})",
            Table.of(
                ("field", "value"),
                [
                    (key, _value(value))
                    for key, value in json.loads(setups[name].to_json()).items()
                    # Of a function the fields of the built-in training say nothing.
                    if setups[name].train == BUILT_IN or key in ("train", "code")
                ],
            ),
            folded=True,
        )
        for name in found.setups
    ]
    return Section("setups", "Setups", tuple(blocks))


def origin_section(found: Findings) -> Section:
    """The data, the program, the machines."""
    return Section("origin", "How it was made", tuple(_origin(found)))


def _origin(found: Findings) -> Iterator[Block]:
    study, dataset = found.study, found.dataset
    runs = [run for name in found.setups for run in found.runs[name] if run.state != "failed"]
    ends = [run.ended_at for run in runs]
    facts = [
        (
            "study file",
            f"made {study.facts.created:%Y-%m-%d %H:%M} UTC by seedwise {study.facts.seedwise}",
        ),
        (
            "first and last run",
            f"{min(ends):%Y-%m-%d %H:%M} to {max(ends):%Y-%m-%d %H:%M} UTC",
        ),
        ("wall time of all runs", f"{sum(run.seconds for run in runs):,.0f} s"),
    ]
    if dataset is not None:
        facts += [
            ("dataset", dataset.name),
            ("split", str(Split.from_json(dataset.split))),
            ("validation examples", f"{len(dataset.targets):,} of {len(dataset.classes)} classes"),
            ("fingerprint of all images (SHA-256)", dataset.fingerprint),
        ]
    tasks = (study.plan or {}).get("tasks", {})
    facts += [
        (f"task {task}", ", ".join(f"{key} = {_value(value)}" for key, value in given.items()))
        for task, given in tasks.items()
    ]
    yield Listed("", Table.of(("", "value"), facts))
    for place in environments(runs):
        made = ", ".join(f"{count} of {name}" for name, count in place.runs.items())
        rows = [(key, _value(value)) for key, value in place.made_by.items()]
        yield Listed(f"Made in this way: {made}", Table.of(("", "value"), rows), folded=True)


def copy_section(found: Findings) -> Section:
    """A table for a paper, and a block for a pull request."""
    blocks = list[Block]()
    if any(found.finished(name) for name in found.setups):
        confidence = found.rule.confidence
        rows = [sampled.row(confidence) for sampled in found.sampled()]
        blocks.append(Copyable("For a pull request (Markdown)", pull_request(found)))
        for form, title in (("markdown", "Table (Markdown)"), ("latex", "Table (LaTeX)")):
            text = paper_table(
                rows,
                form=form,
                confidence=confidence,
                stated=found.stated,
                test_to_train=found.study.test_to_train,
            )
            blocks.append(Copyable(title, text))
    return Section("copy", "To copy", tuple(blocks))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
