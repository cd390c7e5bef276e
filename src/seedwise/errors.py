"""Exceptions of seedwise.

* SeedwiseError
    - InvalidSetup (also ValueError)
    - UnknownName (also KeyError)
    - ConfigError (also ValueError)
        + CodeNotRun
        + Unsettled
    - DataError (also ValueError)
    - MissingPackage (also ImportError)
    - StudyError (also ValueError)
        + CodeChanged
        + StudyTooNew
        + RunExists
    - ClusterLost
    - TrainingFailed

Every message says what was wrong, what was given, and what to do about it, on one line; only
CodeChanged shows lines of code below.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "ClusterLost",
    "CodeChanged",
    "CodeNotRun",
    "ConfigError",
    "DataError",
    "InvalidSetup",
    "MissingPackage",
    "RunExists",
    "SeedwiseError",
    "StudyError",
    "StudyTooNew",
    "TrainingFailed",
    "UnknownName",
    "Unsettled",
]


class SeedwiseError(Exception):
    """Base of every error that seedwise raises on purpose."""


class InvalidSetup(SeedwiseError, ValueError):
    """A training setup cannot be trained as written."""


class ConfigError(SeedwiseError, ValueError):
    """A study.toml, or what was typed on the command line, cannot be used."""


class CodeNotRun(ConfigError):
    """A study file names a function that judges, and code is not run because a file names it."""


class Unsettled(ConfigError):
    """Nobody said which way a metric points, and its name does not settle it: no verdict."""


class DataError(SeedwiseError, ValueError):
    """A dataset is missing, broken, or not what it was said to be."""


class MissingPackage(SeedwiseError, ImportError):
    """Something needs a package that is not installed.

    >>> print(MissingPackage("pandas", "study.runs()", extra="pandas"))
    study.runs() needs the package 'pandas'; pip install 'seedwise[pandas]'
    """

    def __init__(self, package: str, user: str, *, extra: str) -> None:
        super().__init__(
            f"{user} needs the package {package!r}; pip install 'seedwise[{extra}]'",
            name=package,
        )


class StudyError(SeedwiseError, ValueError):
    """A study file cannot be used as asked."""


class CodeChanged(StudyError):
    """The code of a setup differs from that of its stored runs.

    This message has several lines: it shows what changed.
    """


class TrainingFailed(SeedwiseError):
    """The code that trains fails, or returns what no run can be made of; more runs would too."""


class StudyTooNew(StudyError):
    """A study file was written by a later seedwise."""


class RunExists(StudyError):
    """A run of this setup and seed is already stored; runs never change."""


class ClusterLost(SeedwiseError):
    """The Ray that made the runs has ended; what was stored is kept."""


class UnknownName(SeedwiseError, KeyError):
    """A name is in no catalogue.

    >>> print(UnknownName("model", "xresnet81", ["xresnet18", "xresnet34"]))
    unknown model 'xresnet81'; did you mean 'xresnet18'? Known: xresnet18, xresnet34
    >>> print(UnknownName("setup", "c", ["aa", "bb"]))
    unknown setup 'c'; known: aa, bb
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}? Known" if near else "known"
        super().__init__(f"unknown {kind} {name!r}; {hint}: {', '.join(names) or 'none'}")

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr
