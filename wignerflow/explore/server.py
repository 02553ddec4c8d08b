"""The explorer's server: on the loopback address, behind a random token, reading one file.

Runs happen in worker processes, so that a run that dies (or is killed) is an error in the page and
not the end of it. The server itself writes no file, and serves none but its page.
"""

from __future__ import annotations

import hmac
import json
import multiprocessing
import secrets
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from .. import _check
from ..solving import METHODS
from . import work

MOST = 2_000_000  # bytes of a model file in the page
SECONDS = 60.0  # that a browser may take to send what it announced
KINDS = {"nc": "application/x-netcdf", "png": "image/png", "py": "text/x-python"}
TEMPLATE = """# A superradiant laser: change anything, and run it.
[[subsystems]]
kind = "ensemble"
name = "atoms"
N = 20
initial = "up"

[[jumps]]
type = "collective"
op = "atoms.Jm"
rate = 0.05

[[jumps]]
type = "local"
op = "atoms.sp"
rate = 0.3

[e_ops]
inversion = "atoms.Jz"
emission = { factors = ["atoms.Jp", "atoms.Jm"] }

[run]
tlist = { start = 0.0, stop = 15.0, points = 61 }
method = "twa"
ntraj = 4000
seed = 7
"""


POLL = 0.05  # seconds between looks at whether it is to end


class NoSuchPath(Exception):
    """Nothing is served there."""


class Explorer:
    """The explorer of a model file; ``url`` opens it until ``close``."""

    def __init__(self, text: str = TEMPLATE, port: int = 0, workers: int = 2):
        self.text, self.token = text, secrets.token_urlsafe(24)
        self._workers, self._lock = workers, threading.Lock()
        self._pool = self._new_pool()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/{self.token}/"

    def serve(self) -> None:
        """Answer until ``close`` is called, or Ctrl-C."""
        try:
            self._server.serve_forever(POLL)
        finally:
            self._server.server_close()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End ``serve``, from another thread."""
        self._server.shutdown()

    @property
    def processes(self) -> list[int]:
        """Ids of the worker processes."""
        return list(getattr(self._pool, "_processes", None) or {})

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._workers, multiprocessing.get_context("spawn"))

    def do(self, what: str, *arguments: str) -> Any:
        """Work of ``work.py`` in a worker process.

        Raises:
            RuntimeError: the process ended before the work; the next call has a new one.
        """
        with self._lock:
            pool = self._pool
        try:
            return pool.submit(getattr(work, what), *arguments).result()
        except BrokenProcessPool:
            with self._lock:
                if self._pool is pool:
                    self._pool = self._new_pool()
            raise RuntimeError(
                "The worker process ended, perhaps for want of memory; run it again."
            ) from None

    def page(self) -> str:
        """The page, with the model file and the names of methods."""
        home = files(__package__)
        data = json.dumps({"text": self.text, "methods": list(METHODS)}).replace("<", "\\u003c")
        page = home.joinpath("page.html").read_text(encoding="utf-8")
        script = home.joinpath("page.js").read_text(encoding="utf-8")
        return page.replace("/*DATA*/", data).replace("/*SCRIPT*/", script)

    def answer(self, path: str, body: bytes) -> tuple[str, bytes]:
        """Content type and content that a request for a path below the token gets.

        Raises:
            NoSuchPath: there is nothing.
            Exception: any other is shown by the page as an error.
        """
        if path == "":
            return "text/html; charset=utf-8", self.page().encode()
        given = json.loads(body or b"{}")
        if not isinstance(given, dict):
            _check.fail("body", "be an object", given, kind=TypeError)
        text, method = str(given.get("text", "")), str(given.get("method", ""))
        if path in ("check", "live"):
            found = self.do(path, text)
            if path == "live":
                return "text/html; charset=utf-8", found.encode()
            return "application/json", json.dumps(found).encode()
        kind = path.removeprefix("export.")
        if path != "run" and kind not in KINDS:
            raise NoSuchPath(path)
        _check.one_of("method", method, METHODS)
        if path == "run":
            return "application/json", json.dumps(self.do("run", text, method)).encode()
        return KINDS[kind], self.do("export", text, method, kind)


def _handler(explorer: Explorer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS

        def do_GET(self) -> None:
            self._reply(b"", self.path.partition("/")[2].partition("/")[2] == "")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MOST:
                self._send(413, "text/plain", b"too long")
                return
            self._reply(self.rfile.read(int(length)), True)

        def _reply(self, body: bytes, allowed: bool) -> None:
            _, token, path = [*self.path.split("/", 2), "", ""][:3]
            host = f"127.0.0.1:{explorer.port}"  # a name that leads here is another site's
            known = hmac.compare_digest(token.encode(), explorer.token.encode())
            origin = self.headers.get("Origin", f"http://{host}")
            if not known or not allowed or self.headers.get("Host") != host:
                self._send(404, "text/plain", b"not found")
            elif origin != f"http://{host}":
                self._send(403, "text/plain", b"forbidden")
            else:
                self._answer(path, body)

        def _answer(self, path: str, body: bytes) -> None:
            try:
                self._send(200, *explorer.answer(path, body))
            except NoSuchPath:
                self._send(404, "text/plain", b"not found")
            except Exception as error:  # whatever is wrong with a model, the page goes on
                said = {"error": str(error), "kind": type(error).__name__}
                self._send(422, "application/json", json.dumps(said).encode())

        def _send(self, code: int, kind: str, content: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("X-Frame-Options", "SAMEORIGIN")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing: the address holds the token."""

    return Handler
