"""`python -m seedwise` is the command `seedwise`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    here = str(Path.cwd())
    if not sys.flags.safe_path and not (Path(here) / "seedwise").is_dir():
        # `python -m` puts the current folder before all that is installed; the command does not.
        sys.path[:1] = [] if sys.path[0] == here else sys.path[:1]

    from seedwise.cli import main

    main()
