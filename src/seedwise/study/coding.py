"""Code that trains a study's setups now, held against the code that made their stored runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedwise.code.difference import Change, changes
from seedwise.code.git import Commit, commit_of
from seedwise.code.parts import Code
from seedwise.code.tracing import code_of, file_of
from seedwise.errors import CodeChanged
from seedwise.live.events import Notice, Watch
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, ELSEWHERE, Setup
from seedwise.store import Store, StoredCode

__all__ = ["Origins", "hold_to_code", "refuse_other_code"]

Trained = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """The code that makes the runs of a call.

    Attributes:
        functions: The training functions of the user's, by setup.
        kept: Their codes as the study keeps them, by setup.
        commits: The commit that the project of each setup is at, where there is one.
    """

    functions: Trained
    kept: Mapping[str, StoredCode]
    commits: Mapping[str, Commit | None]

    def number(self, setup: str) -> int | None:
        """The number of a setup's code in the study; None for the built-in training."""
        return self.kept[setup].id if setup in self.kept else None

    def settle(self, store: Store) -> None:
        """Keep which values the runs of this call have changed: they say nothing later."""
        for setup, each in self.kept.items():
            now = each.code.settled(code_of(self.functions[setup]))
            if now != each.code:
                store.settle_code(each.id, now)


def hold_to_code(
    store: Store,
    setups: Mapping[str, Setup],
    functions: Trained,
    *,
    unchanged: bool,
    tell: Watch,
) -> Origins:
    """Keep what trains each setup, unless its stored runs were made by other code.

    Args:
        store: The study, open for writing; a setup that is new to it is added.
        setups: The setups by name.
        functions: The functions that train, of those that are the user's.
        unchanged: The user says that changed code trains the same.
        tell: Told of setups whose code becomes known only now.

    Raises:
        CodeChanged: Runs are stored that other code made, and it was not said that it trains the
            same.
        StudyError: A setup of the study differs.
    """
    codes = {name: code_of(function) for name, function in functions.items()}
    known = store.setups()
    changed = dict[str, Sequence[Change]]()
    for name, setup in setups.items():
        if name in known and name in codes:
            found = _found_changes(store, name, known[name], setup, codes[name])
            if found and _seeds(store, name):
                changed[name] = found
    if changed and not unchanged:
        raise CodeChanged(_refusal(store, changed))
    kept = dict[str, StoredCode]()
    for name, setup in setups.items():
        if name in known and name in codes and _alike(known[name], setup):
            if known[name].train != setup.train:
                store.replace_setup(name, setup)
        else:
            store.add_setup(name, setup)
        if name in codes:
            kept[name] = _kept(store, name, codes[name], said=name in changed, tell=tell)
    return Origins(functions=functions, kept=kept, commits=_commits(setups, functions))


def _commits(setups: Iterable[str], functions: Trained) -> Mapping[str, Commit | None]:
    """The commit of each setup's project; of the built-in training that of the current folder."""
    files = {name: file_of(functions[name]) if name in functions else None for name in setups}
    places = {name: Path(file).parent if file else Path.cwd() for name, file in files.items()}
    found = {place: commit_of(place) for place in set(places.values())}
    return {name: found[place] for name, place in places.items()}


def refuse_other_code(store: Store, setup: str, function: Callable[..., Any]) -> None:
    """Refuse to repeat a run by other code than any that made its setup's runs.

    Raises:
        CodeChanged: The code differs; the message shows what changed.
    """
    stored, code = store.codes(setup), code_of(function)
    found = min((changes(each.code, code) for each in stored), key=len, default=[])
    if found:
        raise CodeChanged(
            "\n".join(
                [
                    f"the code of {setup} changed since its runs were made:",
                    *_told(found),
                    "Nothing was trained: a repeat by other code tells nothing of the machine.",
                    "Go back to the code of the run.",
                ]
            )
        )


def _told(found: Sequence[Change]) -> list[str]:
    """Changes, as lines."""
    return [
        line
        for change in found
        for line in (f"  {change.name}", *(f"    {line}" for line in change.lines))
    ]


def _alike(known: Setup, setup: Setup) -> bool:
    """True if two setups differ in nothing but the user's function, if at all."""
    both = (known.train, setup.train)
    if BUILT_IN in both or ELSEWHERE in both:
        return False
    return known.but(train=setup.train, code=None) == setup


def _found_changes(
    store: Store, name: str, known: Setup, setup: Setup, code: Code
) -> Sequence[Change]:
    """Changes since each of the codes that made a setup's runs; the fewest of them."""
    stored = store.codes(name)
    found = min((changes(each.code, code) for each in stored), key=len, default=[])
    if _alike(known, setup) and known.train != setup.train:
        was = Change(name="the function", lines=(f"{known.train}, now {setup.train}",))
        return [was, *found]
    return found


def _kept(store: Store, name: str, code: Code, *, said: bool, tell: Watch) -> StoredCode:
    """A code as the study keeps it, from now on if it did not."""
    stored = store.codes(name)
    for each in stored:
        if _same_parts(each, code):
            return each
    if not stored and _seeds(store, name):
        text = "an earlier seedwise made its runs, and did not keep their code"
        tell(Notice(text=f"{name}: {text}; from now on it is held to what it is today"))
    how = "said" if said else "layout"
    if not stored or not _seeds(store, name):
        how = "first"
    return StoredCode(id=store.add_code(name, code, accepted=how), code=code, accepted=how)


def _same_parts(stored: StoredCode, code: Code) -> bool:
    """True if a code is one that is kept, state aside."""
    parts = stored.code.parts
    return parts.keys() == code.parts.keys() and all(
        parts[key].state or parts[key].digest == part.digest for key, part in code.parts.items()
    )


def _seeds(store: Store, name: str) -> list[Seed]:
    return [run.seed for run in store.runs(name) if run.state != "failed"]


def _refusal(store: Store, changed: Mapping[str, Sequence[Change]]) -> str:
    """The message that shows what changed, and the three ways on."""
    groups = dict[tuple[Change, ...], list[str]]()
    for name, found in changed.items():
        groups.setdefault(tuple(found), []).append(name)
    lines = list[str]()
    for found, names in groups.items():
        seeds = _ranges(sorted({seed for name in names for seed in _seeds(store, name)}))
        lines.append(
            f"the code of {_joined(names)} changed since the stored runs (seeds {seeds}):"
        )
        lines += _told(found)
    one = next(iter(changed))
    return "\n".join(
        [
            *lines,
            "Nothing was trained: runs of different code are not mixed. If it trains the same,",
            "say --code-unchanged (code_unchanged=True in Python). If not, give the new code",
            "a setup of another name, or set the stored runs aside: "
            f"seedwise drop {store.path} {one}",
        ]
    )


def _joined(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _ranges(seeds: Iterable[Seed]) -> str:
    """Seeds in few letters: runs of whole numbers as 0-6.

    >>> _ranges([Seed.of(number) for number in (0, 1, 2, 7)])
    '0-2, 7'
    """
    parts = list[list[str]]()
    for seed in map(str, seeds):
        last = parts[-1][-1] if parts else ""
        if seed.isdecimal() and last.isdecimal() and int(seed) == int(last) + 1:
            parts[-1] = [parts[-1][0], seed]
        else:
            parts.append([seed])
    return ", ".join("-".join(part) for part in parts)
