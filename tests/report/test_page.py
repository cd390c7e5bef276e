"""The page as text: what stands in it, and that what comes from a study stays data."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from helpers.studies import DIVERGED, FAILED, finished, measured, runs_of
from seedwise.comparison import Rule, compare
from seedwise.comparison.study_runs import StudyRuns
from seedwise.comparison.summary import summarise
from seedwise.errors import ConfigError, StudyError, UnknownName
from seedwise.report.page import Pictures, report_html
from seedwise.store import Store
from seedwise.words.cautions import cautions
from seedwise.words.verdict import basis, verdict_sentence

EVIL = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    """a'b"c&d`{{ 7 * 7 }}${1}""",
    "\u202egnp.exe\u2066",
    "n" * 200,
]


class Text(HTMLParser):
    """The words of a page, without scripts and styles, and its elements."""

    def __init__(self, page):
        super().__init__()
        self.words, self.tags, self._in = [], [], ""
        self.feed(page)
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        if self._in not in ("script", "style"):
            self.words.append(data)


def test_the_verdict_is_the_one_of_compare(studies):
    with studies.make({"a": runs_of(1.0), "b": runs_of(1.1)}) as store:
        page = Text(report_html(StudyRuns(store))).text
        found = compare(StudyRuns(store), "a", "b", Rule())
    for sentence in (verdict_sentence(found), basis(found), *cautions(found)):
        assert " ".join(sentence.split()) in page


@pytest.mark.parametrize("name", EVIL)
def test_a_name_is_shown_and_is_nothing_else(studies, name):
    with studies.make({name: runs_of(1.0), "b": [*map(finished, runs_of(1.1)), FAILED]}) as store:
        page = report_html(StudyRuns(store))
    found = Text(page)
    assert " ".join(name.split()) in found.text
    scripts = [attrs for tag, attrs in found.tags if tag == "script"]
    assert len(scripts) == 3
    assert [attrs for tag, attrs in found.tags if tag == "img"] == []
    assert not any(key.startswith("on") for _, attrs in found.tags for key in attrs)


def test_the_policy_allows_the_scripts_of_the_page_and_no_others(studies):
    with studies.make({"a": runs_of(1.0)}) as store:
        page = report_html(StudyRuns(store))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    for element in ("script", "style"):
        (allowed,) = re.findall(rf"{element}-src ([^;]*);", policy)
        contents = re.findall(rf"<{element}>(.*?)</{element}>", page, flags=re.S)
        digests = [hashlib.sha256(each.encode()).digest() for each in contents]
        wanted = {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}
        assert set(allowed.split()) == wanted
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_nothing_in_the_page_is_loaded_from_elsewhere(studies):
    with studies.make({"a": runs_of(1.0), "b": runs_of(1.1)}) as store:
        found = Text(report_html(StudyRuns(store)))
    loaded = [attrs for _, attrs in found.tags if "src" in attrs or "srcset" in attrs]
    links = [attrs["href"] for _, attrs in found.tags if "href" in attrs]
    assert loaded == []
    assert all(link.startswith("#") for link in links)


def test_one_setup_is_reported_without_a_verdict(studies):
    with studies.make({"a": runs_of(1.0)}) as store:
        page = Text(report_html(StudyRuns(store))).text
    assert "There is only one setup" in page
    assert "accuracy" in page


def test_plain_metrics_are_reported(studies):
    runs = [measured(loss=0.5 + 0.01 * i) for i in range(5)]
    others = [measured(loss=0.4 + 0.012 * i) for i in range(5)]
    with studies.make({"a": runs, "b": others}) as store:
        page = Text(report_html(StudyRuns(store))).text
    assert "b is better than a" in page
    assert "Image by image" not in page


def test_figures_are_flush_right_and_words_flush_left_and_neither_breaks(studies):
    runs = [measured(loss=0.5 + 0.01 * i, accuracy=0.7 + 0.001 * i**2) for i in range(8)]
    long = "n" * 200
    with studies.make({"a": runs, long: runs[::-1]}) as store:
        page = report_html(StudyRuns(store))
    cells = {
        "".join(Text(cell).words): kind
        for kind, cell in re.findall(r"<td(?: class=\"(\w+)\")?>(.*?)</td>", page)
    }
    figures = {text for text, kind in cells.items() if kind == "figure"}
    assert {"0", "7", "70.00 %"} <= figures
    assert not {text for text in figures if re.match("[a-z]", text)}
    assert any("[" in text for text in figures)
    assert (cells["loss"], cells["a"], cells[long]) == ("", "", "long")


def test_an_interval_that_has_no_ends_is_not_drawn_as_one(studies):
    with studies.make({"a": [measured(loss=0.5)], "b": [measured(loss=0.4)]}) as store:
        page = Text(report_html(StudyRuns(store))).text
    assert ", no interval." in page
    assert "[-inf, +inf]." not in page
    assert "no interval points" not in page


def test_a_split_that_says_nothing_is_not_named(studies):
    with studies.make({"a": runs_of(1.0)}) as store:
        assert "split shipped" not in Text(report_html(StudyRuns(store))).text
        assert "split" not in summarise(StudyRuns(store)).dataset


def test_several_metrics_need_a_choice(studies):
    runs = [measured(f1=0.5 + 0.01 * i, loss=1.0 - 0.01 * i) for i in range(4)]
    with studies.make({"a": runs, "b": runs}) as store:
        with pytest.raises(ConfigError, match="choose one"):
            report_html(StudyRuns(store))
        assert "f1" in Text(report_html(StudyRuns(store), metric="f1")).text
        with pytest.raises(UnknownName, match="f2"):
            report_html(StudyRuns(store), metric="f2")


def test_a_study_without_a_result_has_no_report(studies, tmp_path):
    with (
        Store.open(tmp_path / "empty.db", create=True) as store,
        pytest.raises(StudyError, match="no finished run"),
    ):
        report_html(StudyRuns(store))
    with studies.make({"a": [FAILED]}) as store, pytest.raises(StudyError, match="no finished"):
        report_html(StudyRuns(store))


def test_lost_runs_are_listed_with_their_errors(studies):
    runs = [*map(finished, runs_of(1.0)), DIVERGED]
    with studies.make({"a": runs, "b": [*map(finished, runs_of(1.1)), FAILED]}) as store:
        page = Text(report_html(StudyRuns(store))).text
    assert "the loss was NaN" in page
    assert "the machine stopped" in page
    assert "Not drawn: 1 diverged run of a." in page


def test_pictures_stand_in_the_page_and_what_is_missing_is_said(studies):
    asked = []

    def give(names):
        asked.extend(names)
        return Pictures(files={names[0]: b"\x89PNG..."}, missing="")

    with studies.make({"a": runs_of(1.0), "b": runs_of(1.2)}) as store:
        found = Text(report_html(StudyRuns(store), thumbnails=give))
        without = Text(
            report_html(
                StudyRuns(store), thumbnails=lambda names: Pictures(files={}, missing="no pixels")
            )
        )
    (*_, picture) = [attrs for tag, attrs in found.tags if tag == "img"]
    assert picture["src"].startswith("data:image/png;base64,")
    assert base64.b64decode(picture["src"].partition(",")[2]) == b"\x89PNG..."
    assert len(asked) > 1
    assert "Images are named but not shown: no pixels." in without.text


def test_the_same_study_gives_the_same_page(studies):
    with studies.make({"a": runs_of(1.0), "b": runs_of(1.1)}) as store:
        assert report_html(StudyRuns(store)) == report_html(StudyRuns(store))
