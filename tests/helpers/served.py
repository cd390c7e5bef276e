"""A page that is served, and a browser of sorts."""

import http.client
import threading
from contextlib import contextmanager

from seedwise.cli.serving import Page, server
from seedwise.errors import StudyError

REPORT = "<!doctype html><title>The report</title><p>relu is better than mish: Δ 0.42</p>"


class Study:
    """What a page is made from, with a count of how often it was."""

    def __init__(self):
        self.made, self.version, self.line, self.fault = 0, 1, "12 of 40 runs", ""

    def make(self):
        self.made += 1
        if self.fault:
            raise StudyError(self.fault)
        return REPORT.replace("0.42", str(self.version))

    def page(self):
        return Page(self.make, lambda: self.version, lambda: self.line)


@contextmanager
def serving(page, title="study.db"):
    with server(page, title=title, port=0) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()


def ask(found, path="/", method="GET", body=None, **headers):
    connection = http.client.HTTPConnection(*found.server_address, timeout=120)
    try:
        connection.request(method, path, body, {"Host": found.names[0], **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()
