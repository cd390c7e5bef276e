"""Logs in files, folders and trackers: which there are, of which format, under which path."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from seedwise.errors import ConfigError, DataError
from seedwise.figures import count
from seedwise.importers import registry
from seedwise.importers.configuration import configured
from seedwise.importers.logs import Candidate, Importer, Log
from seedwise.importers.paths import Layout

__all__ = ["Found", "Sourced", "find_logs", "finer", "read_found"]

_MOST_ENTRIES = 100_000
_SETTINGS = re.compile(
    r"((train(ing)?|model|generation|tokenizer|data|run|experiment)_?)?"
    r"(config|configuration|params|parameters|hparams|hyperparameters|args|arguments|settings)"
    r"|tokenizer|vocab|package|requirements|special_tokens_map|added_tokens|info|metadata"
    r"|.*\.index|preprocessor_config|readme|license",
    re.I,
)
"""Names of files that say how a run was made, and are not a log of it."""

_HIDDEN = re.compile(r"\.(?!\.?__)|__MACOSX|__\w+__(\.|$)")
"""Names that are passed over, by their beginning."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """A place that an importer reads.

    Attributes:
        importer: The importer.
        candidate: The place.
        root: The folder that was looked through; None of what was named itself.
    """

    importer: Importer
    candidate: Candidate
    root: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sourced:
    """A log, and where it was found.

    Attributes:
        log: The log, its facts with the configuration that lies beside it.
        paths: Its path within the folder that was given, if one was, and as it was given.
    """

    log: Log
    paths: tuple[str, ...]


def find_logs(
    wheres: Sequence[str], name: str | None, layout: Layout | None
) -> tuple[list[Found], list[str]]:
    """Find the logs in some places, in the order of their names, and what is left alone.

    Args:
        wheres: Files, folders, and addresses of trackers.
        name: The format; None to recognise it.
        layout: The pattern of paths; where it names files, others in a folder are left alone.

    Raises:
        ConfigError: Nothing is recognised, or several formats are, and it was not said which is
            meant.
        DataError: A folder cannot be read, or holds too much.
        UnknownName: There is no such format.
    """
    found, notes = list[Found](), list[str]()
    for where in wheres:
        candidate = Candidate(text=_here(where))
        if candidate.is_folder and not _whole(candidate, name):
            inside, said = _look_through(candidate, name, layout)
            found += inside
            notes += said
        else:
            found.append(
                Found(importer=registry.importer_of(candidate, name), candidate=candidate)
            )
    once = {str(each.candidate.path.absolute()): each for each in reversed(found)}
    return list(reversed(once.values())), notes


def finer(found: Sequence[Found]) -> str | None:
    """The format that reads the scores of single examples, where all logs hold these too."""
    for other in registry.IMPORTERS.values():
        if all(
            other.means == each.importer.name and other.recognises(each.candidate)
            for each in found
        ):
            return other.name
    return None


def read_found(found: Sequence[Found], errors: list[DataError]) -> Iterator[Sourced]:
    """The logs of some places, one after the other.

    A log in a folder that cannot be read, as that of a run that was killed when it began, is left
    out; one that was named itself must be readable.

    Args:
        found: The places.
        errors: Gets what is wrong with those that are left out.
    """
    alone = _alone(found)
    one_root = len({each.root for each in found}) == 1
    for each in found:
        facts = configured(each.candidate, each.root, alone) if each.root else {}
        try:
            logs = list(each.importer.read(each.candidate))
        except DataError as error:
            if each.root is None:
                raise
            errors.append(error)
            continue
        for log in logs:
            path = Path(log.path).as_posix() if "://" not in log.path else log.path
            paths = [path]
            within = f"{each.root.as_posix()}/" if each.root is not None and one_root else ""
            if within and path.startswith(within):
                paths.insert(0, path.removeprefix(within))
            yield Sourced(
                log=replace(log, facts={**facts, **log.facts}),
                paths=tuple(paths),
            )


def _here(where: str) -> str:
    """The path of a place, which MLflow and Optuna write as an address: `sqlite:///mlflow.db`."""
    scheme, mark, rest = where.partition("://")
    if not mark or Path(where).exists():
        return where
    if scheme in ("sqlite", "file") and rest.startswith("/"):
        return rest[1:] if scheme == "sqlite" else unquote(rest)
    raise ConfigError(
        f"{where} is an address, and nothing is read over the network; bring the runs here first "
        "(docs, Bring your results), and name a file or a folder"
    )


def _whole(candidate: Candidate, name: str | None) -> bool:
    """True if a folder is read as one."""
    if name is not None:
        return registry.importer_of(candidate, name).recognises(candidate)
    return any(each.recognises(candidate) for each in registry.IMPORTERS.values())


def _look_through(
    folder: Candidate, name: str | None, layout: Layout | None
) -> tuple[list[Found], list[str]]:
    importers = list(registry.IMPORTERS.values())
    if name is not None:
        importers = [registry.importer_of(folder, name)]
    by_format: dict[str, list[Found]] = {}
    for candidate in _inside(folder, importers):
        importer = next((each for each in importers if each.recognises(candidate)), None)
        if importer is not None and (layout is None or layout.may_be(candidate.path.name)):
            one = Found(importer=importer, candidate=candidate, root=folder.path)
            by_format.setdefault(importer.name, []).append(one)
    special = {kind: some for kind, some in by_format.items() if not some[0].importer.general}
    meant, means = _without_means(special or by_format)
    if not meant:
        known = ", ".join(registry.IMPORTERS) if name is None else name
        raise ConfigError(f"{folder.text} holds no log of a known format ({known})")
    if len(meant) > 1:
        some = " and ".join(f"{kind} ({len(each)})" for kind, each in meant.items())
        raise ConfigError(
            f"{folder.text} holds logs of several formats: {some}; give --format "
            f"{next(iter(meant))}, or name the folders that are to be read"
        )
    ((kind, chosen),) = meant.items()
    left = [
        f"{count(len(by_format[other]), f'{other} file')}"
        for other in by_format
        if other not in (kind, means)
    ]
    notes = [f"{', '.join(left)} beside logs of {kind}"] if left else []
    if means:
        number = count(len(by_format[means]), "file")
        notes.insert(
            0, f"{number} with the means of these runs, which --format {means} reads instead"
        )
    return chosen, notes


def _without_means(
    by_format: Mapping[str, list[Found]],
) -> tuple[Mapping[str, list[Found]], str | None]:
    """Places by format without those that only have means over the others, and their format."""
    for some in by_format.values():
        means = some[0].importer.means
        if means and means in by_format:
            runs = {_run_of(each) for each in some}
            if all(_run_of(each) in runs for each in by_format[means]):
                return {other: by_format[other] for other in by_format if other != means}, means
    return by_format, None


def _run_of(found: Found) -> tuple[Path, str]:
    """Folder of a file, and the end of its name, which is the time of its run."""
    path = found.candidate.path
    return path.parent, path.stem.rpartition("_")[2]


def _inside(folder: Candidate, importers: Sequence[Importer]) -> Iterator[Candidate]:
    """Files and folders in a folder, by name: those within a folder that is read as one are not.

    A folder that a link leads back to is passed over, and so is whatever is hidden, but not what
    lm-evaluation-harness makes of a path: `.__out__model` of `./out/model`.
    """
    waiting, seen, entries = [folder], {_identity(folder.path)}, 0
    while waiting:
        here = waiting.pop()
        names = sorted((n for n in here.names if not _HIDDEN.match(n)), key=_natural)
        entries += len(names)
        if entries > _MOST_ENTRIES:
            raise DataError(
                f"{folder.text} holds more than {_MOST_ENTRIES:,} files and folders; name the "
                "folders in it that are to be read"
            )
        deeper = list[Candidate]()
        for name in names:
            candidate = Candidate(text=str(here.path / name))
            if not candidate.is_folder:
                if not _SETTINGS.fullmatch(Path(name).stem) and candidate.path.is_file():
                    yield candidate
                continue
            identity = _identity(candidate.path)
            if identity in seen:
                continue
            seen.add(identity)
            if any(each.recognises(candidate) for each in importers):
                yield candidate
            else:
                deeper.append(candidate)
        waiting += reversed(deeper)


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return found.st_dev, found.st_ino


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that puts version_10 after version_9."""
    parts = re.split(r"(\d{1,18})", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _alone(found: Sequence[Found]) -> frozenset[str]:
    """The folders in or under which there is one place to read: what lies there is of that run."""
    counts: dict[str, int] = {}
    for each in found:
        if each.root is None:
            continue
        path = each.candidate.path
        folders = [path, *path.parents] if each.candidate.is_folder else [*path.parents]
        for folder in folders:
            counts[str(folder)] = counts.get(str(folder), 0) + 1
            if folder == each.root:
                break
    return frozenset(folder for folder, number in counts.items() if number == 1)
