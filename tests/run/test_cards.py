"""Chunks on GPUs of workers: ``driver.c`` stands in for the driver of two cards in each worker."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from wignerflow.run import cards
from wignerflow.run.cards import shared_out
from wignerflow.run.cluster import ClusterError

from ..kernels.test_cuda import needs_cc
from . import cases

distributed = pytest.importorskip("distributed")

KERNELS = Path(__file__).parents[1] / "kernels"
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Port:UserWarning"),
]
WORKER = """
import sys
from distributed.cli.dask_worker import main
sys.argv = ["dask-worker", sys.argv[1], "--nthreads", sys.argv[2], "--no-dashboard", "--no-nanny",
            "--death-timeout", "20", "--host", "127.0.0.1"]
main()
"""


def test_every_card_serves_one_process():
    both = {"a": 0, "b": 1}
    assert shared_out({"x": both, "y": both}, {"x": 1, "y": 1}) == {"x": [0], "y": [1]}
    assert shared_out({"x": both, "y": both}, {"x": 4, "y": 4}) == {"x": [0], "y": [1]}
    assert shared_out({"x": both}, {"x": 4}) == {"x": [0, 1]}
    assert shared_out({"x": both}, {"x": 1}) == {"x": [0]}
    # each process sees all cards, its own first, as dask-cuda has it
    turned = {"x": {"a": 0, "b": 1, "c": 2}, "y": {"b": 0, "c": 1, "a": 2}}
    assert shared_out(turned, {"x": 1, "y": 2}) == {"x": [0], "y": [0, 1]}
    assert shared_out({"x": {}, "y": {"a": 0}}, {"x": 1, "y": 1}) == {"y": [0]}
    assert shared_out({"x": both}, {}) == {}


class Site:
    """A scheduler in this process, and workers with and without cards in others."""

    def __init__(self, library):
        self.library, self.workers = library, {}
        self.cluster = distributed.LocalCluster(
            n_workers=0, dashboard_address=None, silence_logs=50, host="127.0.0.1"
        )
        self.client = distributed.Client(self.cluster)

    def add(self, name, cards, threads=1):
        """Start a worker that sees so many cards."""
        environment = {**os.environ, "PYTHONPATH": str(KERNELS.parents[1])}
        if cards:
            environment |= {
                "LD_LIBRARY_PATH": str(self.library),
                "WIGNERFLOW_STANDIN": str(self.library),
                "WIGNERFLOW_PTX": f"{sys.executable} {KERNELS / 'ptx.py'}",
                "WIGNERFLOW_CARDS": str(cards),
            }
        command = [sys.executable, "-c", WORKER, self.cluster.scheduler_address, str(threads)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.workers[name] = subprocess.Popen(command, env=environment, **quiet)
        self.client.wait_for_workers(len(self.workers), timeout=60)

    def kill(self, name):
        worker = self.workers.pop(name)
        worker.kill()
        worker.wait()

    def close(self):
        for name in list(self.workers):
            self.kill(name)
        self.client.close()
        self.cluster.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("cuda.bindings")
    folder = tmp_path_factory.mktemp("driver")
    command = ["cc", "-O1", "-w", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"]
    command += [KERNELS / "driver.c", "-o", folder / "libcuda.so.1", "-ldl"]
    subprocess.run(command, check=True)
    made = Site(folder)
    yield made
    made.close()


LONG = {"tlist": [0.0, 0.1], "ntraj": 5 * 16384, "precision": "double"}


@needs_cc
@pytest.mark.slow
def test_on_the_cards_of_workers(site, tmp_path):
    """One cluster through its life: without cards, with some, after a death."""
    client = site.client
    site.add("plain", 0)
    with pytest.raises(ValueError, match="No worker of the cluster has a GPU"):
        cases.solve(client=client, device="cuda")
    here = cases.solve(ntraj=64)
    there = cases.solve(client=client, device="auto", ntraj=64)
    assert there.digest() == here.digest() and there.stats["device"] == "cpu"
    assert "took the CPU: no worker of the cluster" in there.stats["notes"][0]

    site.add("first", 2)
    result = cases.solve(client=client, device="cuda", **LONG)
    assert result.stats["device"] == "sm_90 Stand-in x 1 on 1 of 2 workers"
    assert result.stats["target"] == result.provenance["target"] == "cuda sm_90 Stand-in"
    assert result.provenance["device"] == "cuda"
    cpu = cases.solve(**LONG)  # the same trajectories, up to rounding
    assert np.allclose(result.expect["emission"], cpu.expect["emission"], rtol=1e-5)
    assert result.digest() != cpu.digest()

    path = tmp_path / "run.nc"
    some = LONG | {"ntraj": 2 * 16384}
    cases.solve(client=client, device="auto", checkpoint=path, **some)
    with pytest.raises(ValueError, match=r"another (trajectories per chunk|CPU target)"):
        cases.solve(checkpoint=path, **LONG)
    site.add("second", 2, threads=2)  # the cards that are left: one
    rest = cases.solve(client=client, device="auto", checkpoint=path, **LONG)
    assert rest.stats["device"] == "sm_90 Stand-in x 2 on 2 of 3 workers"
    assert rest.stats["resumed"] == 2 * 16384
    assert rest.digest() == result.digest()

    killer = threading.Timer(0.5, site.kill, ["first"])
    killer.start()
    again = cases.solve(client=client, device="cuda", **LONG)
    killer.join()
    assert again.digest() == result.digest()


@needs_cc
@pytest.mark.slow
def test_when_all_cards_are_gone(site, monkeypatch, tmp_path):
    """What was finished is returned."""
    monkeypatch.setattr(cards, "ABSENCE", 2.0)
    for name in list(site.workers):
        site.kill(name)
    site.add("alone", 1)
    path, killed = tmp_path / "run.nc", []

    def kill():
        end = time.monotonic() + 120
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.1)
        site.kill("alone")
        killed.append(time.monotonic())

    killer = threading.Thread(target=kill)
    killer.start()
    long = LONG | {"ntraj": 10**7, "checkpoint": path, "every": "1 chunks"}
    with pytest.warns(UserWarning, match="No worker with a GPU is left"):
        result = cases.solve(client=site.client, device="cuda", **long)
    killer.join()
    assert time.monotonic() - killed[0] < 30
    assert result.stats["stopped_because"] == "cluster lost" and 0 < result.ntraj < 10**7


class Fake:
    """A client whose workers answer what they are told to."""

    def __init__(self, **answers):
        self.answers = answers

    def nthreads(self):
        return dict.fromkeys(self.answers, 1)

    def run(self, call, *arguments, **keywords):
        return self.answers

    submit = scheduler_info = run


def card(kind="cuda sm_90 A", driver="12.4"):
    facts = {"GPU": kind, "NVIDIA driver": driver, "wignerflow": "1", "llvmlite": "1"}
    return "", {kind + driver: 0}, facts, 100


@pytest.mark.parametrize("other", [card("cuda sm_80 B"), card(driver="12.6")])
def test_unlike_cards_are_refused(other):
    with pytest.raises(ClusterError, match=r"workers with GPUs differ in (GPU|NVIDIA driver)"):
        cards.crew_of(Fake(a=card(), b=other), "cuda", None)


def test_why_workers_have_no_card():
    client = Fake(a=("no NVIDIA driver", {}, {}, 0), b=RuntimeError("no such module"))
    crew, why = cards.crew_of(client, "auto", None)
    assert crew is None and "no NVIDIA driver; RuntimeError: no such module" in why
    with pytest.raises(ValueError, match="must be 'cpu' or 'auto' with this `client`"):
        cards.crew_of(client, "cuda", None)
    crew, _ = cards.crew_of(Fake(a=("no NVIDIA driver", {}, {}, 0), b=card()), "cuda", None)
    assert crew.cards == {"b": [0]} and crew.count == 1


def test_methods_without_trajectories_are_refused():
    with pytest.raises(ValueError, match="for a method without phase-space trajectories"):
        cases.solve(client=Fake(a=card()), device="cuda", method="mean-field")
