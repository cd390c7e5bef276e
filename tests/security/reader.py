"""Commands, one after another in one process, and what of a folder each has brought in.

    python reader.py FOLDER < COMMANDS.json

Prints a line of JSON for each command: its exit code, what it said, the modules of FOLDER that
are loaded after it, and whether `sys.path` is another. `serve` is the page of `watch --serve`.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from seedwise.cli import cli
from seedwise.cli.watch import _report


def said_by(words):
    """What a command prints, and its exit code."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            if words[0] == "serve":
                _report(Path(words[1]))
                code = 0
            else:
                cli.main(words, prog_name="seedwise")
                code = 0
        except SystemExit as ended:
            code = ended.code or 0
        except Exception as error:
            code = 2 if type(error).__module__ == "seedwise.errors" else 99
            out.write(f"{type(error).__name__}: {error}")
    return code, out.getvalue()


def loaded_from(folder):
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    return sorted(name for name, file in files.items() if file and file.startswith(folder))


if __name__ == "__main__":
    before = list(sys.path)
    for words in json.load(sys.stdin):
        code, said = said_by(words)
        found = {"code": code, "said": said, "loaded": loaded_from(sys.argv[1])}
        found["others"] = sorted({"this", "antigravity", "venv.__main__"} & set(sys.modules))
        sys.stdout.write(json.dumps({**found, "path": sys.path != before}) + "\n")
