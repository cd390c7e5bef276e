"""Only one program at a time makes the runs of a study."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from seedwise.errors import StudyError
from seedwise.locks import Held, Holder, holder, locked

__all__ = ["StudyRunner", "beside", "claimed", "network_file_system", "runner_of"]

_NETWORK = frozenset(
    ("9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "gpfs", "lustre", "nfs", "nfs4", "smb3")
)
"""File systems that several machines may share, as Linux names them."""

_MOUNTS = Path("/proc/self/mounts")


@contextmanager
def claimed(study: Path) -> Generator[None]:
    """Be the one program that makes the runs of a study, as long as this is open.

    Two that did would both make every run, and the later result of each would be refused. Who
    makes them stands in `STUDY.lock` beside the study; the file of a program that has ended,
    however it ended, is taken over.

    Raises:
        StudyError: Another program makes them; the message says which.
    """
    file = beside(study, ".lock")
    with ExitStack() as stack:  # so that nothing but the taking of the lock is tried here
        try:
            stack.enter_context(locked(file, wait=False))
        except Held as held:
            raise StudyError(_who(study, file, held)) from None
        except OSError as error:
            raise StudyError(f"{file} cannot be written: {error.strerror}") from None
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRunner:
    """The program that makes the runs of a study, or did when it was killed.

    Attributes:
        holder: Which process on which machine, and since when.
        alive: Whether it still does; None for one of another machine, which cannot be seen.
    """

    holder: Holder
    alive: bool | None


def runner_of(study: Path) -> StudyRunner | None:
    """The program that makes a study's runs; None where none does and none was killed."""
    found = holder(beside(study, ".lock"))
    return None if found is None else StudyRunner(holder=found[0], alive=found[1])


def beside(study: Path, suffix: str) -> Path:
    """The file that belongs to a study, in the study's own folder."""
    file = study.resolve()
    return file.with_name(file.name + suffix)


def _who(study: Path, file: Path, held: Held) -> str:
    if held.elsewhere:
        return (
            f"{study} was being run by {held.holder}, and this machine cannot see whether it "
            f"still is; if it has ended, delete {file}"
        )
    who = held.holder or "another process"
    return f"{study} is being run by {who}; wait until that ends, or end it"


def network_file_system(path: Path) -> str | None:
    """The kind of network file system on which a file lies; None for a local one, or unknown."""
    place = path.resolve()
    try:
        mounts = [line.split()[1:3] for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return None
    kinds = {Path(point.replace("\\040", " ")): kind for point, kind in mounts}
    for folder in (place, *place.parents):
        if folder in kinds:
            return kinds[folder] if kinds[folder] in _NETWORK else None
    return None
