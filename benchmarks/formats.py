"""Which logs and trackers `seedwise import` reads, and whether their verdicts are right.

The tests of importers let each library write six runs with known results, two setups and three
seeds, and import them. This runs these tests and makes a table of what they found. It needs
`make .venv/.adapters`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def found_by_tests():
    """Figures that each test of a library's files told, in the order of the libraries' names."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.jsonl"
        env = {**os.environ, "SEEDWISE_FORMATS": str(told), "SEEDWISE_REQUIRE_ADAPTERS": "1"}
        words = ["-m", "pytest", "-q", "-m", "adapters", "tests/importers"]
        done = subprocess.run([sys.executable, *words], cwd=ROOT, env=env)
        rows = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]
    rows = {(row["library"].lower(), row["format"]): row for row in rows}
    return done.returncode, [row for _, row in sorted(rows.items())]


def table(rows):
    lines = ["| format | written by | runs read | verdict |", "| --- | --- | --- | --- |"]
    for row in rows:
        verdict = "right" if row["verdict"] == "better" else f"wrong: {row['verdict']}"
        writer = f"{row['library']} {row['version']}"
        lines.append(f"| {row['format']} | {writer} | {row['runs']} of 6 | {verdict} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, help="also write the figures, as JSON")
    output = parser.parse_args().output
    code, rows = found_by_tests()
    print(table(rows))
    if output:
        output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
