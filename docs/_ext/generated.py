"""Directives whose content comes from the code: the reference cannot fall behind it.

Each writes Markdown and lets the page's own parser read it.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from shutil import copyfile, rmtree
from types import MappingProxyType, ModuleType
from typing import Any, get_args, get_type_hints

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

from seedwise.cli import cli
from seedwise.comparison import Rule, Stop
from seedwise.executors import registry
from seedwise.setups import ALLOWED, FIELDS, Setup
from seedwise.store.schema import MIGRATIONS
from seedwise.study import config

__all__ = ["setup"]

_OPTION = r"(?<![\w-])--[a-z][a-z-]*"
_ARGUMENT = r"\b(?!CSV|JSON|CUDA)[A-Z]{3,}(?:\.[A-Z]+)?\b"


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    for name, write in _WRITERS.items():
        app.add_directive(name, _directive(write))
    app.connect("builder-inited", _copy_records)
    app.connect("source-read", _link_records)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _copy_records(app: Sphinx) -> None:
    """Records lie beside the measurements, outside of what Sphinx reads: pages are copies."""
    folder = Path(app.srcdir) / "records"
    rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for record in (Path(app.srcdir).parent / "benchmarks" / "records").glob("*/README.md"):
        copyfile(record, folder / f"{record.parent.name}.md")


def _link_records(_: Sphinx, __: str, source: list[str]) -> None:
    source[0] = re.sub(
        r"\]\(((?:\.\./)?)\.\./benchmarks/(records/[\w-]+)/README\.md", r"](\1\2.md", source[0]
    )
    # From one record to another: they are neighbours as pages too.
    source[0] = re.sub(r"\]\(\.\./(\d{4}-[\w-]+)/README\.md", r"](\1.md", source[0])


def _directive(write: Callable[..., Iterable[str]]) -> type[SphinxDirective]:
    class Generated(SphinxDirective):
        optional_arguments = 1
        final_argument_whitespace = True

        def run(self) -> list[nodes.Node]:
            words = self.arguments[0].split() if self.arguments else []
            with mock(self.config.autodoc_mock_imports):
                text = "\n".join(write(*words))
            return self.parse_text_to_nodes(text, allow_section_headings=True)

    return Generated


# Python


def public_names(module_name: str, *leave_out: str) -> Iterator[str]:
    """A table of what a module offers, and then each of it."""
    module = importlib.import_module(module_name)
    names = [
        name
        for name in module.__all__
        if name not in leave_out and not inspect.ismodule(getattr(module, name))
    ]
    yield "```{eval-rst}"
    yield f".. currentmodule:: {module_name}"
    yield ""
    if len(names) > 3:
        yield ".. autosummary::"
        yield ""
        yield from (f"   {name}" for name in names if not _is_data(getattr(module, name)))
        yield ""
    for name in names:
        yield from _entry(module, name)
        yield ""
    yield "```"


def made_of(module_name: str, *more: str) -> Iterator[str]:
    """The values inside a module's public ones, which have no name there; and `more` of them.

    Each of these is written module:name.
    """
    module = importlib.import_module(module_name)
    public = [value for name in module.__all__ if inspect.isclass(value := getattr(module, name))]
    found = [_named(place) for place in more]
    for value in (each := [*public, *found]):
        inner = [part for hint in _hints(value) for part in _parts(hint)]
        new = [part for part in dict.fromkeys(inner) if part not in each]
        each += new
        found += new
    yield "```{eval-rst}"
    for value in sorted(found, key=lambda one: one.__name__):
        yield f".. currentmodule:: {value.__module__}"
        yield ""
        yield f".. autoclass:: {value.__name__}"
        yield "   :members:"
        yield ""
    yield "```"


def _named(place: str) -> type:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _hints(value: type) -> Iterable[Any]:
    return get_type_hints(value).values() if is_dataclass(value) else ()


def _parts(hint: Any) -> Iterator[type]:
    """The dataclasses of seedwise in a type."""
    for part in get_args(hint):
        yield from _parts(part)
    ours = getattr(hint, "__module__", "").startswith(("seedwise.comparison", "seedwise.stats"))
    if is_dataclass(hint) and ours:
        yield hint


def _is_data(value: Any) -> bool:
    return not (inspect.isclass(value) or inspect.isroutine(value))


def _entry(module: ModuleType, name: str) -> Iterator[str]:
    value = getattr(module, name)
    if _is_data(value):
        yield f".. py:data:: {name}"
        yield ""
        yield from (f"   {line}" for line in _comment_below(module, name))
    elif inspect.isclass(value):
        yield f".. autoclass:: {name}"
        yield "   :members:"
        if _completes_a_class_of_ours(value):
            yield "   :inherited-members:"
    else:
        yield f".. autofunction:: {name}"


def _completes_a_class_of_ours(value: type) -> bool:
    """Whether a class is half of what people hold: the other half is a base with no page."""
    bases = value.__mro__[1:]
    ours = any(base.__module__.startswith("seedwise.") for base in bases)
    return ours and not issubclass(value, Exception)


def _comment_below(module: ModuleType, name: str) -> list[str]:
    """The text in quotes below a constant, where it is assigned."""
    places = [module.__name__, *(each for each in _importable(module) if each != module.__name__)]
    for place in places:
        found = ModuleAnalyzer.for_module(place).find_attr_docs().get(("", name))
        if found:
            return found
    raise LookupError(f"{module.__name__}.{name} has no text in quotes below it")


def _importable(module: ModuleType) -> Iterator[str]:
    """Modules that a package's __init__ takes its names from."""
    source = inspect.getsource(module)
    yield from re.findall(r"^\s*from (seedwise[\w.]+) import", source, re.MULTILINE)


# The command line


def commands() -> Iterator[str]:
    """Every command: what its --help says, as a page."""
    for name, command in sorted(cli.commands.items()):
        if isinstance(command, click.Group):
            yield from _group(name, command)
        else:
            yield from _command(f"seedwise {name}", command, "##")


def _group(name: str, group: click.Group) -> Iterator[str]:
    yield f"## seedwise {name}"
    yield ""
    yield _prose(group.help)
    yield ""
    for inner, command in sorted(group.commands.items()):
        yield from _command(f"seedwise {name} {inner}", command, "###")


def _command(path: str, command: click.Command, level: str) -> Iterator[str]:
    ctx = click.Context(command, info_name=path)
    yield f"{level} {path}"
    yield ""
    yield f"```text\n{' '.join(command.get_usage(ctx).removeprefix('Usage: ').split())}\n```"
    yield ""
    yield _prose(command.help)
    yield ""
    yield from _table(
        ("option", "what it does"),
        (
            (_cell(f"`{options}`"), _cell(text))
            for param in command.get_params(ctx)
            if isinstance(param, click.Option) and "--help" not in param.opts
            for options, text in [param.get_help_record(ctx) or ("", "")]
        ),
    )
    yield from ("Examples:", "", "```console", *(f"$ {line}" for line in command.example), "```")
    yield ""
    codes = ((f"`{code}`", _cell(meaning)) for code, meaning in command.exits.items())
    yield from _table(("exit code", "means"), codes)


def _prose(text: str | None) -> str:
    """Help as Markdown: arguments stand there in capitals, options with their dashes."""
    return re.sub(f"{_OPTION}|{_ARGUMENT}", r"`\g<0>`", inspect.cleandoc(text or ""))


# study.toml


def setup_fields() -> Iterator[str]:
    """Every key of a table [setups.NAME]."""
    default = {field.name: field.default for field in fields(Setup)}
    said = _attributes(Setup)
    yield from _table(
        ("key", "default", "what it is, and what it may be"),
        (
            (
                f"`{name}`",
                _default(default[name]),
                f"{_cell(said[name])} *{_sentence(ALLOWED[name])}*",
            )
            for name in FIELDS
            if name != "code"
        ),
    )


def study_keys() -> Iterator[str]:
    """Every key that stands in no table."""
    rows = ((f"`{key}`", _cell(said)) for key, said in config.KEYS.items())
    yield from _table(("key", "what it is"), rows)


def stop_keys() -> Iterator[str]:
    """Every key of the table [stop]."""
    yield from _keys_of(Stop, Stop.__dataclass_fields__)


def verdict_keys() -> Iterator[str]:
    """Every key of the table [verdict]."""
    yield from _keys_of(Rule, Rule.__dataclass_fields__)


def executor_keys(kind: str) -> Iterator[str]:
    """Every key of the table [executor] beside its kind."""
    settings = registry.settings_of(kind)
    written = {key: field for key, (field, _) in settings.items()}
    yield from _keys_of(registry.EXECUTORS[kind], settings, written)


def _keys_of(
    kind: type, keys: Iterable[str], written: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """Keys that are the fields of a dataclass, or `written` there by another name."""
    said = _attributes(kind)
    default = {field.name: field.default for field in fields(kind)}
    pairs = [(key, written.get(key, key)) for key in keys]
    yield from _table(
        ("key", "default", "what it is"),
        ((f"`{key}`", _default(default[field]), _cell(said[field])) for key, field in pairs),
    )


def _attributes(kind: type) -> dict[str, str]:
    """What a dataclass says of its fields, by name."""
    text = inspect.getdoc(kind) or ""
    section = re.search(r"^Attributes:\n((?:    .*\n|\n)+)", f"{text}\n", re.MULTILINE)
    lines = section[1] if section else ""
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", lines, re.MULTILINE)
    return {name: " ".join(said.split()) for name, said in found}


def _default(value: Any) -> str:
    if value is MISSING:
        return "must be there"
    if value is None:
        return "left out"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(f'{each:.4g}' for each in value)}]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


# The study file


def tables() -> Iterator[str]:
    """Every table of a study file with its columns, and since which version of the schema."""
    for version, statements in enumerate(MIGRATIONS, start=1):
        for statement in statements:
            if match := re.match(r"\s*CREATE TABLE (\w+) \((?:\s*-- (.*))?\n", statement):
                yield from _columns(match[1], match[2], statement[match.end() :], version)


def _columns(name: str, said: str | None, body: str, version: int) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield f"{f'{said[0].upper()}{said[1:]}. ' if said else ''}Since schema {version}."
    yield ""
    found = re.findall(r"^\s+(\w+) ([A-Z]+)\b([^,\n]*?),?\s*(?:-- (.*))?$", body, re.MULTILINE)
    yield from _table(
        ("column", "type", "constraints", "what it is"),
        (
            (f"`{column}`", kind, f"`{rest.strip()}`" if rest.strip() else "", _cell(note))
            for column, kind, rest, note in found
            if column != "PRIMARY"
        ),
    )


# Markdown


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    found = list(rows)
    if not found:
        return
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    yield from (f"| {' | '.join(row)} |" for row in found)
    yield ""


def _sentence(text: str) -> str:
    cell = _cell(text)
    return f"{cell[0].upper()}{cell[1:]}."


def _cell(text: str) -> str:
    """Text of the code as one cell: what Markdown would read otherwise is escaped."""
    marked = re.sub(f"(?<!`){_OPTION}", r"`\g<0>`", " ".join(text.split()))
    code = re.split(r"(`[^`]*`)", marked)
    return "".join(
        part.replace("|", r"\|") if part.startswith("`") else re.sub(r"([|<\[*_])", r"\\\1", part)
        for part in code
    )


_WRITERS: dict[str, Callable[..., Iterable[str]]] = {
    "public-names": public_names,
    "made-of": made_of,
    "commands": commands,
    "setup-fields": setup_fields,
    "study-keys": study_keys,
    "stop-keys": stop_keys,
    "verdict-keys": verdict_keys,
    "executor-keys": executor_keys,
    "study-tables": tables,
}
