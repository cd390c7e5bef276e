"""A report as a page on this machine that keeps itself up to date.

Three addresses: the report; its state, a line and a version as JSON; and a frame around the report
that asks for the state every two seconds and loads the report again, at most every ten, when the
version is another. So the report stays the page that it is as a file, under its own policy for
scripts; the place to which somebody has scrolled is kept, and so is what is folded out.

Only this machine reaches it (127.0.0.1), and no web page that is open in a browser here may read
it: requests under another name than ours are refused, which is what DNS rebinding would send, and
so are those that come from another origin.
"""

import json
import threading
from base64 import b64encode
from collections.abc import Callable
from errno import EADDRINUSE
from hashlib import sha256
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from seedwise.errors import ConfigError, SeedwiseError

__all__ = ["Page", "Served", "server"]

_STYLE = (
    "html,body{margin:0;height:100%}body{display:flex;flex-direction:column;"
    "font:14px system-ui,sans-serif;color-scheme:light dark;color:CanvasText;background:Canvas}"
    "p{margin:0;padding:6px 16px;border-bottom:1px solid GrayText}iframe{flex:1;border:0}"
    "@media print{p{display:none}}"
)
_SCRIPT = """\
"use strict";
const frame = document.querySelector("iframe"), line = document.querySelector("p");
const between = 10000;  // a report that moves more often cannot be read
let version = line.dataset.version, last = Date.now() - between;
function details() { return [...frame.contentDocument.querySelectorAll("details")]; }
function again() {
  const inside = frame.contentWindow, place = [inside.scrollX, inside.scrollY];
  const open = details().map((each) => each.open);
  frame.addEventListener("load", () => {
    details().forEach((each, number) => { each.open = open[number] ?? each.open; });
    inside.scrollTo(...place);
  }, {once: true});
  inside.location.reload();
}
async function look() {
  try {
    const state = await (await fetch("/state", {cache: "no-store"})).json();
    line.textContent = state.line;
    if (state.version !== version && Date.now() - last >= between) {
      version = state.version;
      last = Date.now();
      again();
    }
  } catch {
    line.textContent = "seedwise watch has ended; this is its last report";
  }
  setTimeout(look, 2000);
}
look();
"""
_FRAME = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>{style}</style></head>
<body><p role="status" data-version="{version}">{line}</p>
<iframe src="/report" title="The report"></iframe>
<script>{script}</script></body></html>
"""
_FAULT = '<!doctype html><html lang="en"><meta charset="utf-8"><title>seedwise</title><p>{}</p>'


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_FRAME_POLICY = (
    f"default-src 'none'; frame-src 'self'; connect-src 'self'; style-src {_hash(_STYLE)}; "
    f"script-src {_hash(_SCRIPT)}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Page:
    """A page that is made again only when what it shows has changed.

    Args:
        make: Makes it, in a second or so.
        version: Something cheap that differs when the page would.
        line: What is to be said above it at this moment.

    `make` and `line` may raise SeedwiseError. Any thread may call them; each of them is called by
    one at a time.
    """

    def __init__(
        self, make: Callable[[], str], version: Callable[[], object], line: Callable[[], str]
    ) -> None:
        self._make, self._version, self._line = make, version, line
        self._making, self._looking = threading.Lock(), threading.Lock()
        self._made: tuple[object, bytes] | None = None

    def body(self) -> bytes:
        """The page, as new as its version."""
        with self._making:
            version = self._version()  # before: what changes meanwhile is seen the next time
            if self._made is None or self._made[0] != version:
                self._made = (version, self._make().encode())
            return self._made[1]

    def state(self) -> dict[str, str]:
        """Version and line, as the frame asks for them."""
        with self._looking:
            try:
                line = self._line()
            except SeedwiseError as error:
                line = str(error)
            return {"version": sha256(repr(self._version()).encode()).hexdigest(), "line": line}


class Served(ThreadingHTTPServer):
    """A server of one page, for this machine only; `url` is where it is."""

    daemon_threads = True

    def __init__(self, page: Page, title: str, port: int) -> None:
        self.page, self.title = page, title
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which a browser here may call it."""
        port = self.server_address[1]
        plain = ("127.0.0.1", "localhost") if port == 80 else ()
        return (f"127.0.0.1:{port}", f"localhost:{port}", *plain)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.names[0]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that disconnects is not a fault; anything else is reported as usual."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def server(page: Page, *, title: str, port: int) -> Served:
    """A server of a page, listening; `serve_forever` answers.

    Raises:
        ConfigError: The port is taken, or may not be used.
    """
    try:
        return Served(page, title, port)
    except OSError as error:
        why = "is taken" if error.errno == EADDRINUSE else f"cannot be used ({error.strerror})"
        raise ConfigError(
            f"port {port} of 127.0.0.1 {why}; give another with --port, or --port 0 for a free one"
        ) from None


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of three addresses, and nothing else."""

    server: Served  # type: ignore[assignment]
    timeout = 10.0

    def do_GET(self) -> None:
        """Answer, if whoever asks may."""
        if not self._may_ask():
            self._answer(HTTPStatus.FORBIDDEN, b"only for pages of this server\n", "text/plain")
        elif self.path == "/":
            self._answer(HTTPStatus.OK, self._frame(), "text/html", _FRAME_POLICY)
        elif self.path == "/report":
            self._report()
        elif self.path == "/state":
            body = json.dumps(self.server.page.state()).encode()
            self._answer(HTTPStatus.OK, body, "application/json")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"there is no such page\n", "text/plain")

    do_HEAD = do_GET

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Every other method is refused, whatever its name."""
        if name.startswith("do_"):
            return self._refuse
        raise AttributeError(name)

    def _refuse(self) -> None:
        body = b"only GET and HEAD\n"
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, body, "text/plain", allow="GET, HEAD")

    def _may_ask(self) -> bool:
        """Tell whether the request came by our own name, and from no other origin."""
        hosts, origins = (self.headers.get_all(name, []) for name in ("Host", "Origin"))
        ours = {f"http://{name}" for name in self.server.names}
        return len(hosts) == 1 and hosts[0] in self.server.names and ours.issuperset(origins)

    def _frame(self) -> bytes:
        state = self.server.page.state()
        return _FRAME.format(
            title=escape(self.server.title),
            style=_STYLE,
            script=_SCRIPT,
            version=state["version"],
            line=escape(state["line"]),
        ).encode()

    def _report(self) -> None:
        policy = "frame-ancestors 'self'"
        try:
            body = self.server.page.body()
        except SeedwiseError as error:
            body = _FAULT.format(escape(str(error))).encode()
            policy = "default-src 'none'; frame-ancestors 'self'"
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, body, "text/html", policy)
            return
        self._answer(HTTPStatus.OK, body, "text/html", policy)

    def _answer(
        self,
        status: HTTPStatus,
        body: bytes,
        kind: str,
        policy: str = "default-src 'none'; frame-ancestors 'none'",
        *,
        allow: str = "",
    ) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", policy),
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            *((("Allow", allow),) if allow else ()),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """The name of the server: without a version."""
        return "seedwise"

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not told."""
