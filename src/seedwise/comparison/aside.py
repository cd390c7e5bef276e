"""Runs that stand aside: of setups that were dropped, and of a setup at one commit.

`relu~1` names a setup `relu` that was dropped, `relu@3f2a91c` the runs of `relu`, dropped or not,
that were made at a commit, and `relu@3f2a91c-dirty` those made with changes that no commit has.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from seedwise.code.git import Commit
from seedwise.errors import UnknownName
from seedwise.seeds import Seed
from seedwise.store import Dropped, StoredRun

__all__ = ["Aside", "commit_name"]

_AT = re.compile(r"(?P<setup>.+)@(?P<commit>[0-9a-fA-F]{4,64})(?P<dirty>-dirty)?")
_SHORT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """All runs of a study, with what says which of them stand aside.

    Attributes:
        runs: Every run.
        dropped: The setups that were dropped.
        commits: The commit of each run, by its id, where it is known.
    """

    runs: Sequence[StoredRun]
    dropped: Sequence[Dropped]
    commits: Mapping[int, Commit]

    @property
    def labels(self) -> frozenset[str]:
        """The names under which dropped setups can be looked at."""
        return frozenset(each.label for each in self.dropped)

    def of(self, name: str, setups: Iterable[str]) -> Sequence[StoredRun]:
        """The runs that a name stands for which is none of the study's setups.

        Raises:
            UnknownName: It stands for none; the message names those that do.
        """
        if name in self.labels:
            return [run for run in self.runs if run.setup == name]
        said = _AT.fullmatch(name)
        found = (
            self._at(said["setup"], said["commit"].lower(), bool(said["dirty"])) if said else []
        )
        if not found:
            base = name.partition("@")[0]
            known = [*setups, *self.labels, *(self._commit_names(base) if said else ())]
            raise UnknownName("setup", name, dict.fromkeys(known))
        return [replace(run, setup=name) for run in found]

    def _at(self, setup: str, commit: str, dirty: bool) -> Sequence[StoredRun]:
        """The runs of a setup at a commit; of several with one seed the last."""
        found = [
            run
            for run in self._ever(setup)
            if run.id in self.commits
            and self.commits[run.id].id.startswith(commit)
            and bool(self.commits[run.id].dirty) == dirty
        ]
        if len({self.commits[run.id].id for run in found}) > 1:
            raise UnknownName("commit", commit, self._commit_names(setup))
        last: dict[Seed, StoredRun] = {run.seed: run for run in found if run.state != "failed"}
        return [run for run in found if run.state == "failed" or last[run.seed] is run]

    def _ever(self, setup: str) -> Iterator[StoredRun]:
        """The runs of a setup and of those that had its name."""
        labels = {each.label for each in self.dropped if each.name == setup}
        yield from (run for run in self.runs if run.setup in {setup, *labels})

    def _commit_names(self, setup: str) -> list[str]:
        """The names of a setup's runs at each commit, in the order in which they were made."""
        commits = [self.commits[run.id] for run in self._ever(setup) if run.id in self.commits]
        return list(dict.fromkeys(f"{setup}@{commit_name(each)}" for each in commits))

    @staticmethod
    def base(name: str) -> str:
        """Name of the setup whose runs at a commit a name stands for; else the name itself."""
        said = _AT.fullmatch(name)
        return said["setup"] if said else name

    def reason(self, name: str) -> str | None:
        """Reason why a verdict on runs of this name keeps to no plan; None if there is none."""
        if name in self.labels:
            return f"{name!r} is a setup that was dropped"
        for each in self.dropped:
            if each.name == name:
                return f"{name!r} was dropped on {each.at:%Y-%m-%d} and made again"
        if _AT.fullmatch(name):
            return f"{name!r} is a part of a setup's runs, chosen after they were made"
        return None


def commit_name(commit: Commit) -> str:
    """A commit in few letters.

    >>> commit_name(Commit(id="3f2a91c" + 33 * "0", dirty=True))
    '3f2a91c-dirty'
    """
    return commit.id[:_SHORT] + ("-dirty" if commit.dirty else "")
