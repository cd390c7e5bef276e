"""Downloads, from a server of the test's own."""

import gc
import hashlib
import http.server
import threading

import pytest

from seedwise.data.fetch import fetch
from seedwise.data.known import Archive
from seedwise.errors import DataError

# A response that breaks off leaves its socket to the garbage collector: pooch does not close it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTENT = bytes(range(256)) * 8_192  # 2 MiB


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing.tgz":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        broken = self.path == "/broken.tgz" and not self.server.mended
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if broken else CONTENT)

    def log_message(self, *_):
        """Nothing on the screen."""


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.mended = False
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()
    gc.collect()  # here, where the warning is expected, and not in some later test


def archive(server, name="good.tgz", **changes):
    facts = {"size_bytes": len(CONTENT), "md5": hashlib.md5(CONTENT).hexdigest(), **changes}
    return Archive(address=f"http://127.0.0.1:{server.server_port}/{name}", **facts)


def test_an_archive_comes_whole_with_progress_and_only_once(server, tmp_path):
    told = []
    path = fetch(archive(server), tmp_path / "downloads", watch=lambda *event: told.append(event))
    assert path.read_bytes() == CONTENT
    assert told[-1] == ("fetching good.tgz", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    told.clear()
    assert fetch(archive(server), tmp_path / "downloads", watch=told.append) == path
    assert told == []


def test_the_first_mib_serves_where_the_whole_is_not_known(server, tmp_path):
    first = hashlib.md5(CONTENT[: 1 << 20]).hexdigest()
    assert fetch(archive(server, md5=None, first_md5=first), tmp_path).exists()
    wrong = archive(server, "other.tgz", md5=None, first_md5="0" * 32)
    with pytest.raises(DataError, match="came with MD5"):
        fetch(wrong, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"md5": "0" * 32}, "MD5 .* instead of 0000"),
        ({"size_bytes": 5}, "instead of 5; try again"),
    ],
)
def test_what_is_not_what_it_should_be_is_not_kept(server, tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        fetch(archive(server, **changes), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_broke_off_starts_again(server, tmp_path):
    with pytest.raises(DataError, match=r"could not be fetched|came with 1048576 bytes"):
        fetch(archive(server, "broken.tgz"), tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.mended = True
    assert fetch(archive(server, "broken.tgz"), tmp_path).read_bytes() == CONTENT


def test_a_missing_archive_says_how_else_to_get_it(server, tmp_path):
    with pytest.raises(
        DataError, match=r"404.*download it by other means to .*missing.tgz"
    ) as caught:
        fetch(archive(server, "missing.tgz"), tmp_path)
    assert "\n" not in str(caught.value)


def test_no_network_is_one_line(tmp_path):
    nowhere = Archive(address="http://127.0.0.1:9/a.tgz", size_bytes=1, md5="0" * 32)
    with pytest.raises(DataError, match="could not be fetched") as caught:
        fetch(nowhere, tmp_path)
    assert "\n" not in str(caught.value)
