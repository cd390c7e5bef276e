"""A page of the documentation as what it asks of its reader: files to write, commands to type.

A comment before a block says what becomes of it: `<!-- file: study.toml -->` is written,
`<!-- output -->` is what the block before prints, `<!-- part of: examples/x.py -->` stands there
word by word, `<!-- numbers vary -->` prints other figures on other machines, `<!-- slow -->` takes
its time, `<!-- needs: fastai.basics -->` a library, before it `<!-- first: command -->` is typed
unseen, and `<!-- not run: why -->` is not run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

__all__ = ["PAGES", "ROOT", "Block", "Command", "blocks", "commands"]

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "records"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code.

    Attributes:
        page: The page that it stands on.
        line: Where it begins, counted from 1.
        language: What the page says that it is.
        text: What it holds.
        marks: What the comments before it say: the word before the colon, and what comes after.
    """

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line with what it is said to print; None where nothing is said."""

    line: str
    output: str | None


def blocks(page: Path) -> Iterator[Block]:
    """Its blocks of code, but for the directives of Sphinx."""
    marks: dict[str, str] = {}
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "html_block":
            for mark in re.findall(r"<!-- (.*?) -->", token.content, re.DOTALL):
                word, _, rest = " ".join(mark.split()).partition(":")
                marks[word] = rest.strip()
        elif token.type == "fence" and not token.info.startswith("{"):
            line = token.map[0] + 1 if token.map else 0
            yield Block(page=page, line=line, language=token.info, text=token.content, marks=marks)
            marks = {}
        elif token.type == "inline":
            marks = {}


def commands(text: str) -> Iterator[Command]:
    """The command lines of a block: those after a `$`, each with the lines below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = re.sub(r"\\\n\s*", "", part).partition("\n")
        yield Command(line=line, output=output if output.strip() else None)
