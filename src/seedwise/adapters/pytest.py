"""pytest: a study file for a test, through the plugin that installing seedwise brings.

pytest imports this module in every project where seedwise is installed, so nothing else of
seedwise is loaded before a test asks for the fixture.

    def test_the_change_costs_no_accuracy(seedwise_study):
        seedwise_study.run({"before": before, "after": after}, seeds=8)
        seedwise_study.compare("before", "after", margin=0.005).expect("not worse")
"""

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from seedwise.study import Study

__all__ = ["pytest_configure", "seedwise_study"]

_MARKER = (
    "seedwise(path=None, **options): where the study of `seedwise_study` is kept, and what else "
    "seedwise.Study takes (dataset, split, targets, better, ...)"
)

_code = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker `seedwise`."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def seedwise_study(request: pytest.FixtureRequest) -> "Study":
    """A `seedwise.Study` of this test. Runs that it has are not made again.

    Its file is in pytest's cache and belongs to this test and to the Python code under pytest's
    rootdir: once that code changes, a new file is begun, so that no run of old code stands for
    new code. The marker `seedwise(path=...)` states a file instead, relative to the test's folder,
    which is kept whatever changes.
    """
    from seedwise.study import Study

    marker = request.node.get_closest_marker("seedwise")
    options = {} if marker is None else dict(marker.kwargs)
    if marker is not None and marker.args:
        raise pytest.UsageError(
            f"the marker seedwise takes arguments by name, got {marker.args[0]!r}; "
            "for a file write seedwise(path=...)"
        )
    stated = options.pop("path", None)
    path = _cached(request) if stated is None else request.path.parent / stated
    path.parent.mkdir(parents=True, exist_ok=True)
    return Study(path, **options)


def _cached(request: pytest.FixtureRequest) -> Path:
    """The file of a test in pytest's cache; in a new folder where there is no cache."""
    node = request.node
    cache = getattr(request.config, "cache", None)
    if cache is None:  # -p no:cacheprovider
        return request.getfixturevalue("tmp_path_factory").mktemp("seedwise") / "study.db"
    told = f"{node.nodeid}\n{_code_of(request.config)}"
    key = hashlib.sha256(told.encode(errors="backslashreplace")).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", node.name)[:60]
    return cache.mkdir("seedwise") / f"{name}-{key}.db"


def _code_of(config: pytest.Config) -> str:
    """The digest of the Python files under the rootdir: contents and places, once a session.

    Folders that are hidden, and virtual environments, are left out.
    """
    if _code not in config.stash:
        digest = hashlib.sha256()
        for folder, folders, files in os.walk(config.rootpath):
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".")
                and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118
            )
            for name in sorted(files):
                if name.endswith(".py"):
                    file = Path(folder, name)
                    place = file.relative_to(config.rootpath).as_posix()
                    digest.update(place.encode(errors="backslashreplace") + b"\0")
                    digest.update(hashlib.sha256(_content(file)).digest())
        config.stash[_code] = digest.hexdigest()
    return config.stash[_code]


def _content(file: Path) -> bytes:
    """Content of a file; empty for one that cannot be read, as it cannot be imported either."""
    try:
        return file.read_bytes()
    except OSError:
        return b""
