"""Chunks on Dask workers: the same bits as on threads, also when workers die."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.run import cluster as module

from . import cases

distributed = pytest.importorskip("distributed")

solve = cases.solve

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore:Port:UserWarning"
)


@pytest.fixture(scope="module")
def local():
    """A cluster of two processes, and its client."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        )
        client = distributed.Client(made)
    yield made, client
    client.close()
    made.close()


def test_same_bits(local):
    _, client = local
    result = solve(client=client)
    assert result.digest() == solve().digest()
    assert result.stats["threads"] == 2
    long = {"ntraj": 128 * 150 + 5}  # portions of several chunks travel
    assert solve(client=client, **long).digest() == solve(**long).digest()
    kept = solve(client=client, keep="final", ntraj=300)
    assert np.array_equal(kept.final, solve(keep="final", ntraj=300).final)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"variance": "guided"}, {"controls": True}])
def test_nets_and_controls_have_the_same_bits(local, options):
    _, client = local
    atoms = wf.Ensemble(40, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sm, 8.0)]
    model = wf.Model(40 * atoms.Jx, jumps, initial={atoms: wf.down})
    times, options = np.linspace(0, 0.3, 9), {"dt": 0.015, "seed": 1, "ntraj": 30_720, **options}
    options |= {"e_ops": {"z": atoms.Jz}, "progress": False, "truncation": False}
    here, there = (wf.solve(model, times, client=c, **options) for c in (None, client))
    assert here.stats["variance"] in ("guided", "controls")
    assert here.digest() == there.digest()


def test_stopping_and_checkpoints(local, tmp_path, monkeypatch):
    _, client = local
    path = tmp_path / "run.nc"
    options = {"ntraj": 100_000, "target_sem": "2%"}
    with monkeypatch.context() as patch:  # the time is up after the first chunks
        patch.setattr("wignerflow.run.loop.out_of_time", lambda *_: None)
        patch.setattr("wignerflow.solving.trajectories.out_of_time", lambda *_: None)
        whole = module.Cluster.__init__  # the first worker may take its time
        patch.setattr(module.Cluster, "__init__", lambda self, *a, **_: whole(self, *a))
        part = solve(client=client, checkpoint=path, timeout=1e-3, **options)
    assert part.stats["stopped_because"] == "timeout"
    rest = solve(checkpoint=path, **options)  # begun on the cluster, ended here
    assert rest.digest() == solve(**options).digest() == solve(client=client, **options).digest()


@pytest.mark.slow
def test_a_killed_worker(local):
    _, client = local
    pids = client.run(os.getpid)

    def kill():
        time.sleep(0.7)
        os.kill(next(iter(pids.values())), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    options = {"ntraj": 200_000, "dt": 0.005}
    killer.start()
    result = solve(client=client, **options)
    killer.join()
    assert result.stats["stopped_because"] == "ntraj"
    assert result.digest() == solve(**options).digest()
    client.wait_for_workers(2, timeout=60)
    assert set(client.run(os.getpid).values()) != set(pids.values())


@pytest.mark.slow
def test_lost_tasks_are_started_again(local, monkeypatch):
    _, client = local
    lost = []
    submit = module.Cluster._start

    def start(self, arguments):
        future = submit(self, arguments)
        if len(lost) < 3:
            lost.append(future)
            future.cancel()
        return future

    monkeypatch.setattr(module.Cluster, "_start", start)
    assert solve(client=client).digest() == solve().digest()
    assert len(lost) == 3


def test_unlike_workers_are_refused(local, monkeypatch):
    _, client = local
    whole = module.Cluster.__init__

    def init(self, *arguments, **options):
        whole(self, *arguments, **options)
        self.facts = self.facts | {"CPU target": "something else"}

    monkeypatch.setattr(module.Cluster, "__init__", init)
    with pytest.raises(module.ClusterError, match="workers differ in CPU target"):
        solve(client=client)


def test_what_is_no_client():
    with pytest.raises(TypeError, match=r"Argument `client` must be a dask\.distributed Client"):
        solve(client="tcp://localhost:8786")
    with pytest.raises(TypeError, match="`client`"):
        solve(client=3, method="exact")


def point(N, pump):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, pump * N)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    return model, {"emission": atoms.Jp * atoms.Jm, "squeezing": wf.Squeezing(atoms)}


def test_sweep(local):
    _, client = local
    grid = {"N": [20, 40], "pump": [0.1, 0.2, 0.3]}
    options = {"ntraj": 64, "seed": 1, "dt": 0.02}
    tlist = np.linspace(0, 0.1, 3)
    here = wf.sweep(point, grid, tlist, **options)
    assert dict(here["emission"].sizes) == {"N": 2, "pump": 3, "time": 3}
    assert list(here["pump"].values) == grid["pump"]
    one = here.sel(N=40, pump=0.2)
    model, e_ops = point(40, 0.2)
    seed = int(one["seed"].item())
    alone = wf.solve(model, tlist, e_ops=e_ops, **options | {"seed": seed})
    assert np.array_equal(one["emission"], alone.expect["emission"])
    assert np.array_equal(one["squeezing_sem"], alone.sem["squeezing"])
    there = wf.sweep(point, grid, tlist, client=client, **options)
    assert here.drop_vars("wall_time").identical(there.drop_vars("wall_time"))
    assert len(np.unique(here["seed"])) == 6


def test_sweep_with_own_times_and_members():
    def make(M):
        chain = wf.Spin(name="chain", count=3)
        return wf.Model(jumps=[wf.Jump(chain.sm, M)], initial={chain: wf.up}), {"z": chain.sz}

    data = wf.sweep(make, {"M": [1.0, 2.0]}, lambda M: np.linspace(0, 1 / M, 4), method="exact")
    assert data["z"].dims == ("M", "time", "member")
    assert np.array_equal(data["times"].sel(M=2.0), np.linspace(0, 0.5, 4))
    assert np.allclose(data["z"][0], data["z"][1], atol=1e-6)  # the same decay on its own clock


def test_sweep_refuses():
    grid = {"N": [20], "pump": [0.1]}
    t = [0, 0.1]
    cases_ = [
        ((3, grid, t), "`model_fn` must be a function"),
        ((point, {}, t), "`params` must map names"),
        ((point, {"time": [1]}, t), "`params` must have names"),
        ((point, {"N": []}, t), "must hold at least one value"),
        ((point, {"N": "abc"}, t), "must be a list of values"),
        ((point, {"N": [object()]}, t), "must hold numbers or strings"),
        ((point, grid, t, {"z": 1}), "`e_ops` must be given once"),
        ((lambda N, pump: 3, grid, t), "`model_fn` must return a wf.Model"),
    ]
    for arguments, message in cases_:
        with pytest.raises((ValueError, TypeError), match=message):
            wf.sweep(*arguments)
    with pytest.raises(ValueError, match="not hold `checkpoint`"):
        wf.sweep(point, grid, t, checkpoint="a.nc")
