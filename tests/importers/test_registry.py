"""Importers: one registry, which says everything once."""

import importlib
import json
import re
from pathlib import Path

import pytest

from seedwise.errors import ConfigError, UnknownName
from seedwise.importers import registry
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.study import Study
from seedwise.study.importing import import_runs

ROOT = Path(__file__).parents[2]


def read_marks(candidate):
    """Lines such as `sgd 3 0.91`: setup, seed and f1."""
    rows = [
        LogRow(
            where=f"line {number}",
            cells=dict(zip(("setup", "seed", "f1"), line.split(), strict=True)),
        )
        for number, line in enumerate(candidate.path.read_text().splitlines(), 1)
    ]
    return [Log(path=candidate.text, rows=rows, facts={"config.lr": "0.1"})]


MARKS = Importer(
    name="marks",
    about="lines of marks",
    recognises=lambda candidate: candidate.path.suffix == ".marks",
    read=read_marks,
)


@pytest.fixture
def with_marks(monkeypatch):
    monkeypatch.setattr(registry, "IMPORTERS", {"marks": MARKS, **registry.IMPORTERS})


def test_an_importer_is_added_by_a_reader_and_an_entry(with_marks, tmp_path):
    """As docs/contributing.md has it: nothing else knows formats by name."""
    (tmp_path / "x.marks").write_text("sgd 0 0.91\nsgd 1 0.92\nadam 0 0.93\nadam 1 0.95\n")
    said = import_runs(tmp_path / "x.marks", tmp_path / "s.db")
    assert said.stored == 4
    assert Study(tmp_path / "s.db").compare("sgd", "adam").deciding.values_b == (0.93, 0.95)


def test_the_walk_of_the_page_names_what_there_is():
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    walk = page.partition("## Add an importer")[2].partition("\n## ")[0]
    for name in ("importers/registry.py", "importers/logs.py"):
        assert f"`{name}`" in walk
        assert (ROOT / "src" / "seedwise" / name).is_file()
    assert "`IMPORTERS`" in walk


def test_every_importer_says_what_it_reads_under_its_own_name():
    for name, importer in registry.IMPORTERS.items():
        assert importer.name == name
        assert importer.about
        assert "\n" not in importer.about


def test_the_page_has_each_format_and_the_extra_that_it_needs():
    page = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")
    table = page.partition("## Formats")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([a-z][\w-]*)` \|(.*)$", table, re.MULTILINE))
    assert set(rows) == set(registry.IMPORTERS)
    for name, importer in registry.IMPORTERS.items():
        extras = re.findall(r"seedwise\[(\w+)\]", rows[name])
        assert extras == ([importer.extra] if importer.extra else [])


def test_the_record_of_formats_is_what_the_tests_found(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    formats = importlib.import_module("formats")
    for figures in (ROOT / "benchmarks" / "records").glob("*-formats/formats.json"):
        table = formats.table(json.loads(figures.read_text(encoding="utf-8")))
        assert table in figures.with_name("README.md").read_text(encoding="utf-8")
        assert "wrong" not in table


def test_a_format_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="unknown format 'cvs'; did you mean 'csv'"):
        registry.importer_of(Candidate(text="x.csv"), "cvs")
    with pytest.raises(ConfigError, match="no known format"):
        registry.importer_of(Candidate(text=str(tmp_path)))
