"""The picture of a terminal in the README: `make pictures` trains the demo and takes it.

Above what the live view showed after seven of its ten runs, below what it said at the end.
"""

import io
import re
import tempfile
import time
from pathlib import Path

from seedwise.cli.console import Console
from seedwise.cli.demo import DEMO
from seedwise.cli.picture import picture
from seedwise.cli.tables import say
from seedwise.cli.verdicts import print_comparisons
from seedwise.live.events import Event
from seedwise.live.progress import StudyProgress
from seedwise.live.snapshot import Snapshot
from seedwise.study import Study
from seedwise.study.config import load_study

WIDTH = 90
RUNS = 7
"""Stored runs at the moment of the picture."""


class Watch:
    """Keeps the study as it was halfway through a run, when so many were stored."""

    def __init__(self) -> None:
        self._progress = StudyProgress()
        self.kept: Snapshot | None = None

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        now = time.monotonic()
        self._progress.take(event, now)
        seen = self._progress.snapshot(now)
        if seen.done == RUNS and any(run.share > 0.5 for run in seen.runs):
            self.kept = self.kept or seen


def main() -> None:
    """Train, and draw what was seen."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "demo.toml"
        file.write_text(DEMO)
        config, watch = load_study(file), Watch()
        study = Study(Path(folder) / "demo.db", dataset=config.dataset)
        study.run(config.setups, seeds=config.seeds, watch=watch)
        say(console, "$ seedwise demo")
        if watch.kept is not None:
            console.print(picture(watch.kept, width=WIDTH, height=40))
        say(console, "\n...\n")
        print_comparisons(console, [study.compare(*config.setups)])
    drawn = console.export_svg(title="seedwise demo")
    # Rich has viewers fetch a font; without it they take one that they have.
    drawn = re.sub(r"@font-face \{.*?\}\n", "", drawn, flags=re.DOTALL)
    (Path(__file__).parent / "terminal.svg").write_text(drawn)


if __name__ == "__main__":
    main()
