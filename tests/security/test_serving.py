"""The page of `seedwise watch --serve` is for this machine's browser, and for no other page."""

import re
import socket
from base64 import b64encode
from hashlib import sha256

import pytest

from helpers.served import Study, ask, serving

PATHS = ("/", "/report", "/state")
FOREIGN_NAMES = [
    *("evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost", ""),
    *("[::1]:{port}", "0.0.0.0:{port}", "127.0.0.1:{port}.evil.example"),
    "127.0.0.1:{port}@evil.example",
]
FOREIGN_ORIGINS = [
    *("http://evil.example", "null", "*", "https://127.0.0.1:{port}", "http://127.0.0.1:1"),
]
AMBIGUOUS = [
    *("", "Host: {ours}\r\nHost: evil.example\r\n", "Host: {ours}\r\nHost: {ours}\r\n"),
    "Host: {ours}\r\nOrigin: http://{ours}\r\nOrigin: http://evil.example\r\n",
]
METHODS = ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "_frame"]
NOWHERE = [
    *("/index.html", "/report/", "/report?x", "/../etc/passwd", "/%2e%2e/etc/passwd"),
    *("/study.db", "http://evil.example/", "/state#x", "/STATE", "*"),
]


@pytest.fixture(scope="module")
def ours():
    with serving(Study().page(), title="</title><script>alert(1)</script>") as found:
        yield found


def raw(found, text):
    """The answer to bytes that no library would send."""
    with socket.create_connection(found.server_address, timeout=120) as connection:
        connection.sendall(text.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_only_this_machine_reaches_it(ours):
    assert ours.server_address[0] == "127.0.0.1"
    assert ours.socket.family == socket.AF_INET


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", FOREIGN_NAMES)
def test_a_foreign_name_is_refused(ours, path, host):
    """DNS rebinding: a page of evil.example whose name now leads to 127.0.0.1."""
    status, _, text = ask(ours, path, Host=host.format(port=ours.server_address[1]))
    assert status == 403
    assert "relu is better" not in text


def test_both_of_our_names_are_served(ours):
    for name in ours.names:
        assert ask(ours, "/report", Host=name)[0] == 200
    assert {name.partition(":")[0] for name in ours.names} == {"127.0.0.1", "localhost"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_origin_is_refused(ours, path, origin):
    status, headers, text = ask(ours, path, Origin=origin.format(port=ours.server_address[1]))
    assert status == 403
    assert "relu is better" not in text
    assert "Access-Control-Allow-Origin" not in headers


def test_our_own_origin_is_served(ours):
    assert ask(ours, "/state", Origin=f"http://{ours.names[0]}")[0] == 200


@pytest.mark.parametrize("headers", AMBIGUOUS)
def test_a_request_that_says_two_things_is_refused(ours, headers):
    text = f"GET /report HTTP/1.1\r\n{headers.format(ours=ours.names[0])}\r\n"
    assert raw(ours, text).startswith("HTTP/1.0 403 ")


@pytest.mark.parametrize("method", METHODS)
def test_only_get_and_head_are_answered(ours, method):
    status, headers, text = ask(ours, "/report", method)
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"
    assert "relu is better" not in text


@pytest.mark.parametrize("path", NOWHERE)
def test_there_is_nothing_else(ours, path):
    answer = raw(ours, f"GET {path} HTTP/1.1\r\nHost: {ours.names[0]}\r\n\r\n")
    assert answer.startswith("HTTP/1.0 404 ")
    assert "root:" not in answer


@pytest.mark.parametrize("line", ["GET", "GET /", "\x16\x03\x01", "GET / HTTP/9.9", "G" * 70_000])
def test_what_is_no_request_gets_no_report(ours, line):
    answer = raw(ours, f"{line}\r\n\r\n")
    assert "relu is better" not in answer
    assert "Traceback" not in answer


def policy(headers):
    parts = (part.split() for part in headers["Content-Security-Policy"].split(";"))
    return {name: set(values) for name, *values in parts}


def test_the_frame_allows_what_it_holds_and_nothing_else(ours):
    _, headers, text = ask(ours)
    allowed = policy(headers)
    assert allowed["default-src"] == {"'none'"}
    assert allowed["frame-ancestors"] == {"'none'"}
    assert allowed["frame-src"] == allowed["connect-src"] == {"'self'"}
    for kind in ("script", "style"):
        inside = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        hashes = {b64encode(sha256(each.encode()).digest()).decode() for each in inside}
        assert allowed[f"{kind}-src"] == {f"'sha256-{each}'" for each in hashes}
    assert "&lt;/title&gt;&lt;script&gt;alert(1)" in text
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", [*PATHS, "/none"])
def test_no_other_page_may_hold_or_read_an_answer(ours, path):
    _, headers, _ = ask(ours, path)
    ancestors = {"'self'"} if path == "/report" else {"'none'"}
    assert policy(headers)["frame-ancestors"] == ancestors
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Python" not in headers["Server"]
