"""What the documentation shows works as it stands: each page is followed in an empty folder."""

import doctest
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from helpers.libraries import library
from helpers.walkthrough import PAGES, ROOT, Block, blocks, commands
from seedwise.cli import cli
from seedwise.data import DATASETS
from seedwise.study.config import load_study

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
HINT = "pip install -r requirements-dev.txt"
EXACTLY = doctest.ELLIPSIS
BUT_FOR_NUMBERS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NUMBER = re.compile(r"[-+<]*\d[\d,.]*")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d|\d\d:\d\d")


def pages_to_follow():
    for page in PAGES:
        found = list(blocks(page))
        marks = [mark for block in found for mark in block.marks]
        kinds = [pytest.mark.slow] * ("slow" in marks) + [pytest.mark.adapters] * (
            "needs" in marks
        )
        if found:
            yield pytest.param(found, id=str(page.relative_to(ROOT)), marks=kinds)


@pytest.mark.parametrize("found", list(pages_to_follow()))
def test_a_page_can_be_followed(found, tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "80")
    # A module of a page may have the name of another test's, before it and after it.
    modules = {Path(block.marks["file"]).stem for block in found if "file" in block.marks}
    for module in modules:
        sys.modules.pop(module, None)
    printed = ""
    try:
        for block in found:
            printed = follow(block, printed)
    finally:
        for module in modules:
            sys.modules.pop(module, None)


def follow(block: Block, before: str) -> str:
    """Do what a block asks for; `before` is what the block before printed."""
    check_syntax(block)
    marks = block.marks
    for preparation in (marks[mark] for mark in ("first", "first also") if mark in marks):
        assert run("bash", "-c", preparation) == ("", 0), block
    if "not run" in marks:
        assert len(marks["not run"].split()) > 1, f"{block}: say why it is not run"
    elif "file" in marks:
        Path(marks["file"]).write_text(block.text)
    elif "part of" in marks:
        assert block.text in (ROOT / marks["part of"]).read_text(), block
    elif "output" in marks:
        compare(block, block.text, before)
    elif block.language == "console":
        type_commands(block)
    elif block.language == "python":
        return run_script(block)
    else:
        assert not block.text.startswith("$ "), f"{block}: commands stand in a block of console"
        assert block.language in ("text", "toml"), f"{block}: say what becomes of it, by a comment"
    return ""


def check_syntax(block: Block) -> None:
    match block.language:
        case "toml":
            check_study(block)
        case "yaml":
            yaml.safe_load(block.text)
        case "json":
            json.loads(block.text)
        case "bash":
            subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
        case "python":
            compile(block.text, str(block), "exec")
        case language:
            assert language, f"{block}: say what language it is"


def check_study(block: Block) -> None:
    """A study.toml, or a part of one, that is read as it stands."""
    table, text = tomllib.loads(block.text), block.text
    if not {"seeds", "stop"} & set(table):
        text = f"seeds = 1\n{text}"
    if "setups" not in table:
        text += '\n[setups.a]\ntrain = "some:function"\n'
    if table.get("dataset", "digits") not in DATASETS:
        Path(table["dataset"]).mkdir(exist_ok=True)
    Path("part.toml").write_text(text)
    load_study("part.toml")


def type_commands(block: Block) -> None:
    printed, code = "", 0
    for command in commands(block.text):
        if command.line == "echo $?":
            assert command.output == f"{code}\n", block
            code = 0
            continue
        assert code == 0, f"{block}: the command before ended with {code}\n{printed}"
        printed, code = type_command(command.line)
        if command.output is not None:
            compare(block, command.output, printed)
    assert code == 0, f"{block}: the last command ended with {code}\n{printed}"


def type_command(line: str) -> tuple[str, int]:
    """What a command prints, and its exit code."""
    words = line.partition(" #")[0].split()
    if words[0] == "make":
        return run("make", "-n", *words[1:], cwd=ROOT)
    if words[0] == "pip":
        assert set(re.findall(r"seedwise\[([\w,]+)\]", line)) <= set(EXTRAS), line
        return "", 0
    if words[0] == "seedwise" and not set("|><;&'\"*$") & set(line):
        result = CliRunner().invoke(cli, words[1:])
        return result.output, result.exit_code
    return run("bash", "-c", line)


def run_script(block: Block) -> str:
    if "needs" in block.marks:
        library(block.marks["needs"], install=HINT)
    Path("script.py").write_text(block.text)
    printed, code = run(sys.executable, "-W", "ignore", "script.py")
    assert code == 0, f"{block}\n{printed}"
    return printed


def run(*words: str, cwd: Path | None = None) -> tuple[str, int]:
    here = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}
    done = subprocess.run(
        words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout, done.returncode


def compare(block: Block, wanted: str, printed: str) -> None:
    """Whether a page shows what is printed; `...` stands for anything, and a time for any time."""
    flags, want, got = EXACTLY, plain(wanted), plain(printed)
    if "numbers vary" in block.marks:
        flags, want, got = BUT_FOR_NUMBERS, NUMBER.sub("#", want), NUMBER.sub("#", got)
    checker = doctest.OutputChecker()
    if not checker.check_output(want, got, flags):
        example = doctest.Example("", want)
        pytest.fail(f"{block}\n{checker.output_difference(example, got, doctest.REPORT_NDIFF)}")


def plain(text: str) -> str:
    lines = TIME.sub("TIME", text).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"
