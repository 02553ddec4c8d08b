"""The explorer's server: who may ask, what is answered, and what happens when a worker dies."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import tomllib

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.explore import TEMPLATE, Explorer, work

DATA = tomllib.loads(TEMPLATE)


@pytest.fixture(scope="module")
def explorer():
    made = Explorer()
    thread = threading.Thread(target=made.serve)
    thread.start()
    yield made
    made.close()
    thread.join()


@pytest.fixture
def here(explorer, monkeypatch):
    """Work is done in this process, which is quicker."""
    monkeypatch.setattr(explorer, "do", lambda what, *a: getattr(work, what)(*a))
    return explorer


def ask(explorer, path, body=None, method="POST", **headers):
    link = http.client.HTTPConnection("127.0.0.1", explorer.port, timeout=120)
    text = json.dumps(body) if body is not None else ""
    link.request(method, path, text, headers)
    reply = link.getresponse()
    content = reply.read()
    link.close()
    return reply.status, content, dict(reply.getheaders())


def path(explorer, name=""):
    return f"/{explorer.token}/{name}"


def test_it_listens_on_this_machine_alone(explorer):
    assert explorer._server.server_address[0] == "127.0.0.1"
    other = Explorer()
    other._server.server_close()
    assert len(explorer.token) >= 32 and other.token != explorer.token


def test_only_who_has_the_token_is_answered(explorer):
    status, page, headers = ask(explorer, path(explorer), method="GET")
    assert status == 200 and b"wignerflow explore" in page
    assert headers["Referrer-Policy"] == "no-referrer"  # the address holds the token
    refused = [
        ("/", {}, 404),
        ("/" + "x" * len(explorer.token) + "/", {}, 404),
        (path(explorer), {"Host": "evil.example"}, 404),  # a name that leads to this machine
        (path(explorer, "../../etc/passwd"), {}, 404),
        (path(explorer, "page.html"), {}, 404),
        (path(explorer, "check"), {}, 404),  # asked with GET
    ]
    for where, given, code in refused:
        assert ask(explorer, where, method="GET", **given)[0] == code, where
    status, *_ = ask(explorer, path(explorer, "check"), {"text": ""}, Origin="http://evil.example")
    assert status == 403
    assert ask(explorer, path(explorer, "work.py"), {})[0] == 404
    assert ask(explorer, path(explorer, "run"), None, **{"Content-Length": "9999999"})[0] == 413


def test_a_run_is_that_of_solve(here):
    status, content, _ = ask(here, path(here, "run"), {"text": TEMPLATE, "method": "exact"})
    found = json.loads(content)
    atoms = wf.Ensemble(20, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 0.05), wf.LocalJump(atoms.sp, 0.3)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    want = wf.solve(model, np.linspace(0, 15, 61), e_ops={"z": atoms.Jz}, method="exact")
    assert status == 200
    np.testing.assert_allclose(found["curves"]["inversion"][0], want.expect["z"], atol=1e-9)
    assert found["times"] == want.times.tolist()


def test_errors_name_their_place(here):
    wrong = [
        (TEMPLATE.replace("rate = 0.3", "rate = -0.3"), "jumps[1]"),
        (TEMPLATE.replace('"atoms.sp"', '"atoms.Jx"'), "jumps[1]"),
        (TEMPLATE.replace("N = 20", "N = "), "line 5"),
        (TEMPLATE.replace("points", "point"), "run.tlist"),
    ]
    for text, place in wrong:
        status, content, _ = ask(here, path(here, "check"), {"text": text})
        assert status == 422 and place in json.loads(content)["error"], content
    status, content, _ = ask(here, path(here, "run"), {"text": TEMPLATE, "method": "twaa"})
    assert status == 422 and "Did you mean 'twa'" in json.loads(content)["error"]


def test_files_named_in_the_model_are_not_written(here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = TEMPLATE + 'checkpoint = "kept.nc"\noutput = "written"\n'
    assert ask(here, path(here, "run"), {"text": text, "method": "exact"})[0] == 200
    assert list(tmp_path.iterdir()) == []


def test_exports(here, tmp_path):
    for kind, start in (("nc", b"\x89HDF"), ("png", b"\x89PNG"), ("py", b'"""Made by')):
        given = {"text": TEMPLATE, "method": "exact"}
        status, content, _ = ask(here, path(here, f"export.{kind}"), given)
        assert status == 200 and content.startswith(start)
        (tmp_path / f"explored.{kind}").write_bytes(content)
    result = wf.load(tmp_path / "explored.nc")
    script = tmp_path / "explored.py"
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    again = wf.load(tmp_path / "explored.nc")
    np.testing.assert_array_equal(again.expect["inversion"], result.expect["inversion"])


@pytest.mark.slow
def test_a_killed_worker_is_an_error_and_no_end(explorer):
    given = {"text": TEMPLATE, "method": "exact"}
    assert ask(explorer, path(explorer, "run"), given)[0] == 200
    killed = explorer.processes
    assert killed
    for process in killed:
        os.kill(process, signal.SIGKILL)
    codes = [ask(explorer, path(explorer, "run"), given)[0] for _ in range(3)]
    assert codes[-1] == 200 and set(codes) <= {200, 422}
    assert not set(explorer.processes) & set(killed)
