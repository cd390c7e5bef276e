"""Charts as values: each is valid Vega-Lite, says its figures, and can be saved."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import altair
import numpy as np
import pytest
from click.testing import CliRunner

from helpers.studies import DIVERGED, finished, measured, runs_of
from seedwise.cli import cli
from seedwise.comparison.rule import Rule
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, StudyError, UnknownName
from seedwise.records import EpochRecord
from seedwise.report.charts import KINDS, catalog, chart, charts
from seedwise.report.charts.chart import Chart, Table
from seedwise.report.charts.theme import ROLES, THEMES
from seedwise.report.findings import Findings
from seedwise.report.page import render
from seedwise.study import Study, record

LETTERS = "<b>&\"'\u202e {{x}} @ink var(--ink)"


@pytest.fixture
def found(studies):
    """Three setups, one run of which diverged, under a rule with a margin."""
    setups = {
        "a": [*map(finished, runs_of(1.0, runs=8))],
        LETTERS: [*map(finished, runs_of(1.2, runs=7)), DIVERGED],
        "c": [*map(finished, runs_of(0.9, runs=8))],
    }
    with studies.make(setups, rule=Rule(margin=0.01)) as store:
        yield Findings(StudyRuns(store))


@pytest.fixture
def drawn(found):
    return [each for kind in KINDS for each in charts(kind, found)]


def test_every_chart_is_valid_vega_lite(drawn):
    assert len(drawn) >= 10
    for each in drawn:
        for theme in THEMES:
            altair.Chart.from_dict(each.vega_lite(theme=theme), validate=True)
        altair.Chart.from_dict(each.page_spec(), validate=True)


def test_the_difference_of_one_run_of_each_is_drawn_whole(tmp_path):
    """The only interval there was was taken for the same as itself, and left out."""
    rng = np.random.default_rng(0)
    for name, share in (("a", 0.5), ("b", 0.55)):
        right = rng.random(40) < share
        record(tmp_path / "s.db", setup=name, seed=0, scores={"em": right}, called="questions")
    study = Study(tmp_path / "s.db")
    found = study.compare("a", "b").deciding.difference
    (row,) = study.chart("forest").page_spec()["data"]["values"]
    assert row["label"] == "em, new questions"
    ends = (row["low"], row["value"], row["high"])
    assert ends == pytest.approx((found.low, found.estimate, found.high), abs=1e-6)
    assert (row["beyond_left"], row["beyond_right"]) == (False, False)


def test_no_name_of_a_colour_is_left_over(drawn):
    for each in drawn:
        text = json.dumps([each.vega_lite(), each.page_spec()])
        assert not any(f'"@{name}"' in text for name in ROLES)


def test_a_chart_says_what_it_shows_and_has_its_figures(drawn):
    for each in drawn:
        assert each.title
        assert each.says.endswith(".")
        assert each.table.rows
        assert {len(row) for row in each.table.rows} == {len(each.table.columns)}


def test_every_run_is_a_dot_and_a_row(found):
    each = chart("runs", found)
    dots = each.spec["data"]["values"]
    assert len(dots) == len(each.table.rows) == 23
    seen = {(dot["setup"], dot["seed"]): dot["value"] for dot in dots}
    for name, values in found.values("matched_accuracy").items():
        for seed, value in values.items():
            assert seen[name, str(seed)] == pytest.approx(100 * value, rel=1e-5)


def test_the_forest_has_the_intervals_of_the_comparison(found):
    rows = chart("forest", found).table.rows
    first = found.comparisons[0]
    accuracy = first.contrasts["accuracy"].difference
    row = next(row for row in rows if row[:2] == (first.b.name, "accuracy"))
    assert row[2:5] == tuple(
        f"{100 * end:+.2f}" for end in (accuracy.estimate, accuracy.low, accuracy.high)
    )


def test_the_last_interval_of_the_trace_is_the_comparison_s(found):
    (step, *_) = reversed(found.settlings("c")[0].steps)
    difference = found.comparisons[1].contrasts["accuracy"].difference
    assert step.n == difference.n_a
    assert (step.so_far.low, step.so_far.high) == pytest.approx((difference.low, difference.high))


def test_classes_differ_as_the_whole_does(found):
    whole = found.comparisons[1].contrasts["accuracy"].difference.estimate
    classes = found.classes["c"]
    share = [each.images * each.difference.estimate for each in classes]
    assert sum(share) / sum(each.images for each in classes) == pytest.approx(whole)


def test_intervals_of_all_classes_hold_together(found):
    """Bonferroni: those of five classes are as wide as one of 99 % by itself."""
    assert {round(each.difference.confidence, 6) for each in found.classes["c"]} == {0.99}


def test_counts_of_images_add_up(found):
    table = chart("images", found).table
    counts = np.array([[int(cell.replace(",", "")) for cell in row[1:]] for row in table.rows])
    assert (counts.sum(axis=0) == 300).all()


def test_an_unknown_kind_gets_a_suggestion(found):
    with pytest.raises(UnknownName, match="did you mean 'forest'"):
        chart("forrest", found)


def test_what_a_study_lacks_for_a_chart_is_said(studies):
    with studies.make({"a": [measured(loss=0.5), measured(loss=0.6)]}) as store:
        alone = Findings(StudyRuns(store))
        for kind in ("forest", "trace", "curves", "metrics", "sources", "classes", "images"):
            with pytest.raises(StudyError, match=f"no chart of '{kind}'"):
                chart(kind, alone)
        assert len(chart("runs", alone).table.rows) == 2


def learned(*losses, **figures):
    """A finished run that logged a loss after each epoch, from 1; and more after the last."""
    epochs = [
        EpochRecord(epoch=epoch, figures={"loss": loss})
        for epoch, loss in enumerate(losses, start=1)
    ]
    last = EpochRecord(epoch=len(losses), figures={"loss": losses[-1], **figures})
    return replace(measured(loss=1.0), epochs=(*epochs[:-1], last))


def test_what_functions_logged_is_drawn_by_their_epochs(studies):
    setups = {"a": [learned(4, 2), learned(3, 1)], "b": [learned(5, 4, accuracy=0.5)]}
    with studies.make(setups, train="mine:train") as store:
        found = Findings(StudyRuns(store))
        drawn = charts("curves", found)
        assert [each.title for each in drawn] == [
            "Accuracy after each epoch",
            "Loss after each epoch",
        ]
        loss = drawn[1]
        assert [row[:3] for row in loss.table.rows] == [
            ("a", "1", "3.5"),
            ("a", "2", "1.5"),
            ("b", "1", "5"),
            ("b", "2", "4"),
        ]
        layer = loss.spec["layer"][1]["encoding"]
        assert layer["y"]["title"] == "loss (lower is better)"
        assert drawn[0].spec["layer"][1]["encoding"]["y"]["title"] == "accuracy (%)"
        assert chart("curves", Findings(StudyRuns(store), metric="loss")).says == loss.says
        with pytest.raises(UnknownName, match="figure of epochs 'wer'"):
            chart("curves", Findings(StudyRuns(store), metric="wer"))


def test_a_curve_is_of_the_same_runs_from_end_to_end_and_says_so(studies):
    setups = {"a": [learned(4, 3, 2, 1), learned(4, 3, 2, 1), learned(4, 3), learned(9)]}
    with studies.make(setups, train="mine:train") as store:
        found = Findings(StudyRuns(store))
        each = chart("curves", found)
        notes = [words for _, words in KINDS["curves"].after(found)]
    assert [row[2] for row in each.table.rows] == ["4", "3", "2", "1"]
    said = "a is drawn to epoch 4, of 2 of its 4 runs: the others ended sooner, or logged other"
    assert notes[1:] == [f"{said} epochs."]


def test_a_curve_that_ends_where_the_first_run_stops_says_so(studies):
    setups = {"a": [learned(4, 3, 2), learned(4, 3, 2), learned(4, 3, 2, 1)]}
    with studies.make(setups, train="mine:train") as store:
        found = Findings(StudyRuns(store))
        notes = [words for _, words in KINDS["curves"].after(found)]
        (drawn,) = charts("curves", found)
    assert [row[1] for row in drawn.table.rows] == ["1", "2", "3"]
    assert notes[1:] == ["a is drawn to epoch 3, which all of its 3 runs have; some went on."]


def test_a_figure_that_is_not_finite_leaves_a_gap(studies):
    runs = [learned(4, math.nan, 2), learned(4, 3, 2), learned(4, 3, math.inf)]
    with studies.make({"a": runs}, train="mine:train") as store:
        each = chart("curves", Findings(StudyRuns(store)))
    assert [dot["mean"] for dot in each.spec["data"]["values"]] == [4, None, None]
    assert [row[2] for row in each.table.rows] == ["4", "-", "inf"]


def test_many_epochs_are_thinned_and_the_last_is_drawn(studies):
    with studies.make({"a": [learned(*range(500, 0, -1))]}, train="mine:train") as store:
        each = chart("curves", Findings(StudyRuns(store)))
    drawn = [dot["epoch"] for dot in each.spec["data"]["values"]]
    assert len(drawn) <= 201
    assert (drawn[0], drawn[-1]) == (1, 500)


def test_a_setup_that_is_called_like_a_colour_keeps_its_name(studies):
    with studies.make({"@ink": runs_of(1.0), "@paper": runs_of(1.1)}) as store:
        each = chart("runs", Findings(StudyRuns(store)))
    spec = each.vega_lite()
    assert {dot["setup"] for dot in spec["data"]["values"]} == {"@ink", "@paper"}
    colours = {dot["colour"] for dot in spec["data"]["values"]}
    assert colours == {THEMES["light"]["setup-0"], THEMES["light"]["setup-1"]}


def test_every_colour_stands_out_from_the_page():
    """3:1 at least, which WCAG 2.2 asks of graphics; text has 4.5:1."""
    for colours in THEMES.values():
        for name in ROLES:
            if name.startswith("setup-"):
                assert _contrast(colours[name], colours["paper"]) >= 3
        for name in ("ink", "muted"):
            assert _contrast(colours[name], colours["paper"]) >= 4.5


def _contrast(one, other):
    light, dark = sorted(map(_luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour):
    """Relative luminance as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.fixture
def study(tmp_path):
    for seed in range(4):
        for setup, bonus in (("a", 0.0), ("b", 0.02)):
            accuracy = 0.9 + bonus + 0.001 * seed**2
            record(tmp_path / "s.db", setup=setup, seed=seed, metrics={"accuracy": accuracy})
    return Study(tmp_path / "s.db")


@pytest.mark.parametrize(
    ("suffix", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("json", b"{")]
)
def test_a_chart_is_saved_as_its_suffix_says(study, tmp_path, suffix, start):
    file = study.chart("forest", "a", "b").save(tmp_path / f"f.{suffix}")
    assert file.read_bytes().startswith(start)


def test_a_chart_for_a_paper_is_one_column_wide_in_small_letters(study, tmp_path):
    chart = study.chart("forest", "a", "b")
    svg = chart.save(tmp_path / "f.svg", style="paper").read_text(encoding="utf-8")
    assert re.search(r'<svg [^>]*width="317"', svg)  # 3.3 inches of 96 pixels
    pdf = chart.save(tmp_path / "f.pdf", style="paper").read_bytes()
    (width,) = re.findall(rb"/MediaBox \[0 0 (\d+)", pdf)
    assert int(width) == 238  # of 72 points
    assert {"title"} == set(chart.vega_lite()) - set(chart.vega_lite(style="paper")) - {"autosize"}
    assert chart.vega_lite(style="paper")["config"]["axis"]["labelFontSize"] == 11


def test_the_title_names_both_setups_and_the_axis_the_baseline(study):
    spec = study.chart("forest", "a", "b").vega_lite()
    assert spec["title"]["text"] == "b - a: the difference"
    assert "difference from a" in json.dumps(spec)


def test_an_interval_that_leaves_the_chart_ends_in_an_arrow(studies):
    narrow = [measured(accuracy=0.9 + 0.001 * seed) for seed in range(3)]
    wide = [measured(accuracy=each) for each in (0.905, 0.3, 0.99)]
    with studies.make({"a": narrow, "wide": wide, "near": narrow[::-1]}, classes=0) as store:
        spec = chart("forest", Findings(StudyRuns(store))).vega_lite()
    rows = [row for row in spec["data"]["values"] if row["figures"]]
    assert (rows[0]["beyond_left"], rows[0]["beyond_right"]) == (True, True)
    assert (rows[-1]["beyond_left"], rows[-1]["beyond_right"]) == (False, False)
    shapes = [each["mark"].get("shape") for each in spec["layer"]]
    assert {"triangle-left", "triangle-right"} <= set(shapes)


def test_another_suffix_is_refused(study, tmp_path):
    with pytest.raises(ConfigError, match=r"written as .json, .pdf, .png, .svg, got '.gif'"):
        study.chart("forest").save(tmp_path / "f.gif")


def test_a_notebook_gets_vega_lite_and_a_picture(study):
    bundle = study.chart("runs")._repr_mimebundle_()
    assert bundle["application/vnd.vegalite.v6+json"]["data"]["values"]
    assert bundle["image/svg+xml"].startswith("<svg")
    assert "a: mean" in bundle["text/plain"]


def test_the_first_setup_named_is_the_baseline(study):
    forth, back = (study.chart("forest", *names).table.rows for names in ("ab", "ba"))
    assert [row[0] for row in forth] == ["b"]
    assert [row[0] for row in back] == ["a"]
    assert float(forth[0][2]) == -float(back[0][2]) == 2.0


def seconds(found):
    """A chart of how long the runs of each setup took."""
    rows = [(name, f"{len(found.finished(name))}") for name in found.setups]
    return (
        Chart(
            kind="seconds",
            title="Seconds of each run",
            says="Runs take seconds.",
            table=Table.of(("setup", "runs"), rows),
            spec={"data": {"values": []}, "mark": "point", "encoding": {}},
        ),
    )


def test_a_chart_is_added_by_a_function_and_an_entry(monkeypatch, found, tmp_path):
    """The walk of docs/contributing.md: command, Python and report take it from the registry."""
    entry = catalog.ChartKind(
        section="noise",
        shows="how long runs take",
        draw=seconds,
        needs="no run has finished",
        before=lambda found: iter([("text", "Slow runs cost the most.")]),
    )
    kinds = {**KINDS, "seconds": entry}
    for place in ("catalog.KINDS", "KINDS"):
        monkeypatch.setattr(f"seedwise.report.charts.{place}", kinds)
    monkeypatch.setattr("seedwise.report.page.parts.KINDS", kinds)
    path = found.study.path
    assert "how long runs take" in CliRunner().invoke(cli, ["plot", "--help"]).output
    assert Study(path).chart("seconds").says == "Runs take seconds."
    page = Study(path).report(tmp_path / "r.html").read_text()
    noise = page.partition('id="noise"')[2].partition("<section")[0]
    assert "Slow runs cost the most." in noise
    assert "Seconds of each run" in noise


def test_every_kind_of_chart_has_a_section_of_the_report():
    pages = [file.read_text() for file in Path(render.__file__).parent.glob("*.py")]
    drawn = set(re.findall(r'\bdrawn\("(\w+)"', "".join(pages)))
    assert {kind.section for kind in KINDS.values()} == drawn


@pytest.mark.parametrize("loss", [1e200, 1.7e308, -1e300])
def test_a_loss_near_the_largest_number_is_drawn_and_planned_with(tmp_path, loss):
    path = tmp_path / "study.db"
    for seed in range(4):
        record(path, setup="a", seed=seed, metrics={"loss": 1.0 + 0.1 * seed})
        record(path, setup="b", seed=seed, metrics={"loss": loss if seed == 1 else 1.2 + seed})
    study = Study(path)
    json.dumps(study.chart("trace").spec, allow_nan=False)
    assert study.report(tmp_path / "report.html").exists()
    said = CliRunner().invoke(cli, ["plan", str(path), "--margin", "0.1"])
    assert said.exit_code in (0, 2), said.output
