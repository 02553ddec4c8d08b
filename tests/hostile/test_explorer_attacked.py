"""The explorer's server against whoever has its address: odd bodies, models of hours, deaths."""

import ast
import http.client
import json
import pickle
import re
import socket
import threading
from pathlib import Path

import pytest

import wignerflow as wf
from wignerflow import estimate
from wignerflow.explore import TEMPLATE, Explorer, server, work
from wignerflow.solving.solve import FailedTrajectories


@pytest.fixture
def explorer(monkeypatch):
    """Work is done in this process, which is quicker."""
    made = Explorer()
    monkeypatch.setattr(made, "do", lambda what, *a: getattr(work, what)(*a))
    thread = threading.Thread(target=made.serve)
    thread.start()
    yield made
    made.close()
    thread.join()


def send(explorer, path, body, **headers):
    link = http.client.HTTPConnection("127.0.0.1", explorer.port, timeout=60)
    link.request("POST", f"/{explorer.token}/{path}", body, headers)
    reply = link.getresponse()
    out = reply.status, reply.read()
    link.close()
    return out


def large(number):
    many = TEMPLATE.replace("N = 20", f"N = 20\ncount = {number}")
    return many.replace('"atoms.Jz"', '"atoms[0].Jz"')


BODIES = {
    "a list": b"[]",
    "a number": b"3",
    "null": b"null",
    "no JSON": b"{",
    "half a letter": b'{"text": "\xc3"}',
    "half a pair": b'{"text": "\\ud800"}',
    "deep": b"[" * 10**5,
    "deep TOML": json.dumps({"text": "a = " + "[" * 10**5}).encode(),
    "a deep key": json.dumps({"text": ".".join("a" * 10**5) + " = 1"}).encode(),
    "zeros": b"\0" * 1000,
    "a long number": b'{"text": ' + b"9" * 10**5 + b"}",
    "broken TOML": json.dumps({"text": TEMPLATE[:200]}).encode(),
    "many members": json.dumps({"text": large(10**9)}).encode(),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["check", "live"])
def test_odd_bodies_are_answered(explorer, name, path):
    """With an error as JSON, which no browser takes for a page; and the next one is served."""
    status, content = send(explorer, path, BODIES[name])
    assert status == 422 and json.loads(content)["error"]
    assert send(explorer, "check", json.dumps({"text": TEMPLATE}).encode())[0] == 200


def test_any_fault_of_a_model_is_an_error_of_the_page(explorer, monkeypatch):
    for kind in (KeyError, ZeroDivisionError, AttributeError, MemoryError, RecursionError):

        def fault(*arguments, kind=kind):
            raise kind("x")

        monkeypatch.setattr(explorer, "do", fault)
        status, content = send(explorer, "check", b"{}")
        assert status == 422 and json.loads(content)["kind"] == kind.__name__


def test_lengths_that_lie(explorer, monkeypatch):
    """More announced than sent: let go after a while; less, none, or no number: refused."""
    monkeypatch.setattr(server, "SECONDS", 0.5)
    slow = Explorer()
    thread = threading.Thread(target=slow.serve)
    thread.start()
    head = f"POST /{slow.token}/check HTTP/1.1\r\nHost: 127.0.0.1:{slow.port}\r\n"
    try:
        for length, answer in (("9", b""), ("-1", b" 413 "), ("1e3", b" 413 "), ("", b" 413 ")):
            with socket.create_connection(("127.0.0.1", slow.port), timeout=30) as link:
                link.sendall(f"{head}Content-Length: {length}\r\n\r\n{{".encode())
                said = link.recv(1000)
            assert (answer in said) if answer else said == b""
    finally:
        slow.close()
        thread.join()


@pytest.mark.parametrize("method", ["exact", "cumulant"])
def test_runs_of_hours_leave_the_worker(method, monkeypatch):
    """Methods without a time limit of their own have that of the page."""
    monkeypatch.setattr(work, "SECONDS", 0.0)
    with pytest.raises(TimeoutError, match=r"takes more than 0 s .* `wignerflow run`"):
        work.run(TEMPLATE, method)


def test_errors_come_back_from_workers():
    """Whatever is raised in another process: one that cannot be read here would end all workers."""
    made = {
        estimate.Beyond: ("said", estimate.Estimate(1.0, 2.0, "x")),
        FailedTrajectories: ("said", None),
    }
    own = set()
    for path in Path(wf.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        errors = re.findall(r"^class (\w+)\(\w*Error\):", text, re.MULTILINE)
        for node in ast.parse(text).body if errors else ():
            if isinstance(node, ast.ClassDef) and node.name in errors:
                inside = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
                own |= {node.name} if "__init__" in inside else set()
    assert own == {kind.__name__ for kind in made}
    for kind, arguments in made.items():
        error = kind(*arguments)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind and str(again) == "said" and vars(again) == vars(error)
