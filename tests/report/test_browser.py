"""The page in a browser, from the disk, as somebody opens it who was sent it."""

import re
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from helpers.studies import finished, runs_of
from seedwise.cli import cli
from seedwise.comparison.study_runs import StudyRuns
from seedwise.records import EpochRecord, RunRecord
from seedwise.report.page import report_html

pytestmark = pytest.mark.browser

EVIL = "<script>document.title='run'</script>"
WORSE = '"></bdi></script><img src=x onerror="document.title=\'run\'">'

NOT_DRAWN = ".plot:not(:has(svg))"


def learned(logits, place):
    """A finished run with figures after three epochs."""
    epochs = tuple(
        EpochRecord(
            epoch=epoch,
            figures={
                "train_loss": 2 / (epoch + 1),
                "valid_loss": 2.1 / (epoch + 1) + 0.01 * place,
                "accuracy": 0.5 + 0.1 * epoch,
                "smoothed_accuracy": 0.5,
                "seconds": 1.0,
            },
        )
        for epoch in range(3)
    )
    run = finished(logits)
    return RunRecord(
        state="finished", logits=run.logits, views=run.views, epochs=epochs, seconds=17.0
    )


def runs(skill):
    return [learned(logits, place) for place, logits in enumerate(runs_of(skill, runs=8))]


@pytest.fixture
def write(studies, tmp_path):
    """Writes the report of some setups; gives its file and the study's."""

    def report(setups, **settings):
        with studies.make(setups) as store:
            file = tmp_path / "report.html"
            file.write_text(report_html(StudyRuns(store), **settings), encoding="utf-8")
            return file, store.path

    return report


@contextmanager
def opened(chromium, file, **settings):
    """The page of a file; ends with an error if it said or fetched anything."""
    context = chromium.new_context(**settings)
    page = context.new_page()
    said, fetched = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(file.as_uri())
    try:
        yield page
        assert said == []
        assert [url for url in fetched if not url.startswith("data:")] == [file.as_uri()]
    finally:
        context.close()


def drawn(page):
    """Draw all charts, those far below too, and wait for the last."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.locator(NOT_DRAWN).first.wait_for(state="detached")
    return page.locator(".plot svg")


def test_opens_from_the_disk_and_says_and_fetches_nothing(chromium, write):
    file, _ = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file) as page:
        assert drawn(page).count() >= 10
        assert page.title() == f"{file.parent.glob('*.db').__next__().name}: seedwise report"


def test_every_open_chart_is_drawn_though_nobody_scrolls_there(chromium, write):
    file, _ = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file, viewport={"width": 900, "height": 500}) as page:
        page.locator(NOT_DRAWN).locator("visible=true").first.wait_for(state="detached")
        assert page.evaluate("scrollY") == 0


def test_the_first_screen_has_verdict_interval_and_number_of_runs(chromium, write):
    file, _ = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file, viewport={"width": 900, "height": 800}) as page:
        page.locator("#verdict .plot svg").wait_for()
        assert "pairs of runs" in page.locator("p.verdict").inner_text()
        chart = page.locator("#verdict .plot").bounding_box()
        assert chart["y"] + chart["height"] < 800
        assert page.locator("#verdict .plot").count() == 1
        folded = page.evaluate("document.documentElement.scrollHeight")
        drawn(page)
        assert folded < page.evaluate("document.documentElement.scrollHeight") / 2


def test_a_part_is_opened_by_its_heading_and_drawn_then(chromium, write):
    file, _ = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file) as page:
        page.locator("#trace summary h2").click()
        page.locator("#trace .plot svg").first.wait_for()
        assert page.locator("#trace .plot svg").first.bounding_box()["width"] > 300


def test_a_link_leads_to_its_section_though_charts_above_are_drawn_later(chromium, write):
    file, _ = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file, viewport={"width": 900, "height": 500}) as page:
        page.get_by_role("link", name="Image by image").click()
        page.locator("#images .plot svg").first.wait_for()
        top = page.locator("#images").bounding_box()["y"]
        assert -5 < top < 150
        drawn(page)
        reserved, needed = page.evaluate(
            """[...document.querySelectorAll('.plot')].reduce(([room, height], plot) => [
                room + parseFloat(plot.style.minHeight),
                height + plot.querySelector('svg').getBoundingClientRect().height], [0, 0])"""
        )
        assert needed == pytest.approx(reserved, rel=0.05)


def test_the_verdict_is_what_compare_prints(chromium, write):
    file, study = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file) as page:
        verdict = page.locator("p.verdict").inner_text()
    printed = CliRunner().invoke(cli, ["compare", str(study), "a", "b"]).output
    said = " ".join(printed.split())
    assert said.startswith(verdict)


def test_what_is_pointed_at_shows_its_seed_and_value(chromium, write):
    file, _ = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file) as page:
        drawn(page)
        plot = page.locator("#runs .plot").first
        plot.scroll_into_view_if_needed()
        plot.locator("svg .mark-symbol path").first.hover()
        shown = page.locator("#tip")
        shown.wait_for(state="visible")
        assert re.search(r"seed\s+\d", shown.inner_text())
        assert re.search(r"accuracy\s+\d\d\.\d\d %", shown.inner_text())
        page.mouse.move(1, 1)
        shown.wait_for(state="hidden")


@pytest.mark.parametrize("name", [EVIL, WORSE])
def test_a_setup_called_as_a_script_is_shown_and_not_run(chromium, write, name):
    file, _ = write({name: runs(1.0), "\u202eb" * 100: runs(1.2)})
    with opened(chromium, file) as page:
        drawn(page)
        assert page.title() != "run"
        assert name in page.locator("p.verdict").inner_text()
        assert name[:20] in page.locator("#runs .plot svg").first.text_content()
        assert page.locator("img").count() == 0


def test_a_script_that_is_not_the_pages_own_does_not_run(chromium, write, tmp_path):
    file, _ = write({"a": runs(1.0)})
    page = file.read_text(encoding="utf-8")
    forged = tmp_path / "forged.html"
    forged.write_text(page.replace("</main>", "<script>document.title='run'</script></main>"))
    context = chromium.new_context()
    try:
        opened_page = context.new_page()
        opened_page.goto(forged.as_uri())
        assert "seedwise report" in opened_page.title()
    finally:
        context.close()


def test_one_key_opens_the_figures_of_every_chart(chromium, write):
    file, _ = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file) as page:
        tables = page.locator(".chart details table")
        assert not tables.first.is_visible()
        page.keyboard.press("t")
        assert all(table.is_visible() for table in tables.all())
        assert tables.count() == page.locator(".plot").count()
        page.keyboard.press("t")
        assert not tables.first.is_visible()


def test_a_button_copies_what_stands_below_it(chromium, write):
    file, _ = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.locator("#copy summary h2").click()
        page.locator(".copy").first.click()
        page.locator(".copy", has_text="Copied").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.locator(".copyable code").first.text_content()
        assert "| metric | a | b |" in copied


@pytest.mark.parametrize("width", [380, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_the_screen_in_light_and_in_dark(chromium, write, scheme, width):
    file, _ = write({"a" * 200: runs(1.0), "b": runs(1.2)})
    settings = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    with opened(chromium, file, **settings) as page:
        charts = drawn(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert all(chart.bounding_box()["width"] <= width for chart in charts.all())
        paper = _brightness(page, "document.documentElement", "backgroundColor")
        ink = _brightness(page, "document.querySelector('.plot svg .mark-text text')", "fill")
        assert (paper > 200) == (scheme == "light")
        assert abs(paper - ink) > 100
        assert len(page.screenshot(full_page=True)) > 10_000


def test_prints_in_light_colours_with_every_chart_and_without_buttons(chromium, write):
    file, _ = write({"a": runs(1.0), "b": runs(1.2)})
    with opened(chromium, file, color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        assert _brightness(page, "document.documentElement", "backgroundColor") > 200
        assert not page.locator(".copy").first.is_visible()
        assert page.pdf().startswith(b"%PDF")
        assert drawn(page).count() == page.locator(".plot").count()


def _brightness(page, element, name):
    colour = page.evaluate(f"getComputedStyle({element}).{name}")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
