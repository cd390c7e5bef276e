"""The page of `seedwise watch --serve`, over real sockets."""

import http.client
import json
import threading

import pytest

from helpers.served import REPORT, Study, ask, serving
from seedwise.cli.serving import Page, server
from seedwise.errors import ConfigError, StudyError


@pytest.fixture
def study():
    return Study()


@pytest.fixture
def ours(study):
    with serving(study.page()) as found:
        yield found


def test_the_report_is_what_it_is_as_a_file(ours):
    status, headers, text = ask(ours, "/report")
    assert (status, text) == (200, REPORT.replace("0.42", "1"))
    assert headers["Content-Type"] == "text/html; charset=utf-8"


def test_it_is_made_again_only_when_the_study_has_changed(study, ours):
    for _ in range(3):
        assert "Δ 1" in ask(ours, "/report")[2]
    assert study.made == 1
    study.version = 2
    assert "Δ 2" in ask(ours, "/report")[2]
    assert study.made == 2


def test_the_frame_shows_the_report_and_the_state(study, ours):
    status, _, text = ask(ours)
    assert status == 200
    assert '<iframe src="/report"' in text
    assert "12 of 40 runs</p>" in text
    state = json.loads(ask(ours, "/state")[2])
    assert f'data-version="{state["version"]}"' in text
    study.line, study.version = "13 of 40 runs", 2
    later = json.loads(ask(ours, "/state")[2])
    assert later["line"] == "13 of 40 runs"
    assert later["version"] != state["version"]
    assert study.made == 0  # asking for the state makes no report


def test_a_study_that_cannot_be_read_is_told_and_tried_again(study, ours):
    study.fault = "study.db is damaged <script>"
    status, headers, text = ask(ours, "/report")
    assert status == 503
    assert "study.db is damaged &lt;script&gt;" in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    study.fault = ""
    assert ask(ours, "/report")[0] == 200


def test_a_state_that_cannot_be_told_is_told(study):
    def line():
        raise StudyError("study.db does not exist")

    with serving(Page(study.make, lambda: 1, line)) as found:
        assert json.loads(ask(found, "/state")[2])["line"] == "study.db does not exist"


def test_two_at_once_get_one_report_and_nobody_waits_for_a_slow_one():
    begun, go_on, made = threading.Event(), threading.Event(), []

    def slow():
        made.append(1)
        begun.set()
        assert go_on.wait(120)
        return REPORT

    answers = []
    with serving(Page(slow, lambda: 1, lambda: "line")) as found:
        asking = [
            threading.Thread(target=lambda: answers.append(ask(found, "/report")[0]))
            for _ in range(2)
        ]
        for thread in asking:
            thread.start()
        assert begun.wait(120)
        assert ask(found, "/state")[0] == ask(found)[0] == 200  # while the report is made
        go_on.set()
        for thread in asking:
            thread.join()
    assert answers == [200, 200]
    assert len(made) == 1


@pytest.mark.parametrize("path", ["/", "/report", "/state"])
def test_head_is_get_without_the_body(ours, path):
    _, whole, text = ask(ours, path)
    status, headers, nothing = ask(ours, path, "HEAD")
    assert (status, nothing) == (200, "")
    assert headers["Content-Length"] == whole["Content-Length"] == str(len(text.encode()))


def test_a_port_that_is_taken_is_one_line(study, ours):
    with pytest.raises(ConfigError, match=r"port \d+ of 127\.0\.0\.1 is taken; give another"):
        server(study.page(), title="", port=ours.server_address[1])


def test_a_browser_that_goes_away_ends_nothing(ours, capfd):
    connection = http.client.HTTPConnection(*ours.server_address, timeout=120)
    connection.connect()
    connection.sock.sendall(b"GET /report HTTP/1.1\r\nHost: ")
    connection.close()
    assert ask(ours)[0] == 200
    assert capfd.readouterr().err == ""
