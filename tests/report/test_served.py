"""The report in a browser, served by `seedwise watch --serve`."""

import pytest

from helpers.served import Study, serving
from helpers.studies import finished, runs_of
from seedwise.comparison.study_runs import StudyRuns
from seedwise.report.page import report_html

pytestmark = pytest.mark.browser


@pytest.fixture
def page(studies):
    with studies.make(
        {name: [finished(each) for each in runs_of(skill)] for name, skill in SKILLS.items()}
    ) as store:
        yield report_html(StudyRuns(store))


SKILLS = {"mish": 1.0, "relu": 1.2}


class Report(Study):
    """A study whose report can be looked at."""

    def __init__(self, page):
        super().__init__()
        self._page = page

    def make(self):
        self.made += 1
        return self._page


def test_the_page_keeps_itself_up_to_date_and_the_reader_where_he_is(chromium, page):
    study = Report(page)
    with serving(study.page()) as found:
        browser = chromium.new_context(viewport={"width": 900, "height": 600})
        shown = browser.new_page()
        said, asked = [], []
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(found.url)
        inside = shown.frame(url="**/report")
        inside.locator(".plot svg").first.wait_for()
        assert shown.inner_text("[role=status]") == "12 of 40 runs"
        inside.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        inside.evaluate("scrollTo(0, 700); window.before = true")
        study.line, study.version = "13 of 40 runs", 2
        with shown.expect_request("**/report"):
            pass  # the policy of the page lets no test wait inside it
        inside.wait_for_load_state("load")
        inside.locator("details[open]").first.wait_for()
        assert shown.inner_text("[role=status]") == "13 of 40 runs"
        assert study.made == 2
        assert inside.evaluate("window.before") is None
        assert inside.evaluate("scrollY") == 700
        assert inside.evaluate("[...document.querySelectorAll('details')].every(d => d.open)")
        assert inside.evaluate("document.querySelectorAll('details').length") > 0
        browser.close()
    assert said == []
    assert {url.removeprefix(found.url) for url in asked} == {"", "report", "state"}


def test_a_page_whose_server_has_gone_says_so_and_stays(chromium, page):
    browser = chromium.new_context()
    shown = browser.new_page()
    with serving(Report(page).page()) as found:
        shown.goto(found.url)
        inside = shown.frame(url="**/report")
        inside.locator(".plot svg").first.wait_for()
    shown.get_by_text("seedwise watch has ended").wait_for()
    assert inside.evaluate("document.querySelectorAll('.plot svg').length") > 0
    browser.close()
