"""Delayed links: delays beyond any memory, runs that are killed, checkpoints that are damaged."""

import math
import time

import numpy as np
import pytest

import wignerflow as wf
from wignerflow import estimate, store
from wignerflow.checkpoint import CheckpointFailed

TIMES = np.linspace(0, 1, 6)


def linked(delay=0.3):
    source, target = wf.Mode(name="source"), wf.Mode(name="target")
    out, into = wf.Jump(source.a, 1.0), wf.Jump(target.a, 1.0)
    initial = {source: wf.coherent(2.0), target: wf.vacuum}
    links = [wf.Link(out, into, delay), wf.Link(into, out, 2 * delay)]
    return wf.Model(jumps=[out, into], initial=initial, links=links), {"n": target.n}, into


def solve(delay=0.3, **options):
    model, e_ops, _ = linked(delay)
    given = {"ntraj": 1000, "seed": 1, "dt": 0.05, "progress": False, "truncation": False}
    return wf.solve(model, TIMES, e_ops=e_ops, **{**given, **options})


@pytest.mark.parametrize("delay", [1e9, 1e12, 1e15, 1e300])
@pytest.mark.parametrize("call", ["solve", "photons", "correlation"])
def test_delays_of_more_steps_than_fit_are_refused(delay, call):
    """Before buffers are made: places in them were beyond any integer, and the process died."""
    model, e_ops, port = linked(delay)
    n = e_ops["n"]
    begin = time.process_time()
    with pytest.raises(
        ValueError, match=r"needs at least .* delays of links|shorter than .* steps"
    ):
        if call == "solve":
            solve(delay)
        elif call == "photons":
            wf.photons(model, port, bins=TIMES, ntraj=64, seed=1)
        else:
            wf.correlation(model, n, n, TIMES, t=0.2, ntraj=64, seed=1)
    assert time.process_time() - begin < 30


def test_estimates_count_what_is_under_way():
    def told(delay):
        model, e_ops, _ = linked(delay)
        return model.estimate(TIMES, e_ops=e_ops, ntraj=1000, dt=0.05, seed=1)

    assert told(0.3).bytes < 1e8 < told(1e4).bytes < 1e11
    assert math.isinf(told(1e9).seconds) and told(1e9).bytes > estimate.machine_memory()


class Killed(BaseException):
    """What nothing catches."""


def test_a_killed_run_with_links_ends_with_the_same_bits(tmp_path, monkeypatch):
    path, whole = tmp_path / "run.nc", solve()
    write, written = store.write, []

    def kill(where, data):
        write(where, data)
        written.append(where)
        if len(written) == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", kill)
        patch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e-9)
        with pytest.raises(Killed):
            solve(checkpoint=path, every="1 chunks")
    resumed = solve(checkpoint=path)
    assert resumed.stats["resumed"] == 2 * whole.stats["lanes"]
    assert resumed.digest() == whole.digest()


def test_another_delay_is_another_run(tmp_path):
    path = tmp_path / "run.nc"
    solve(ntraj=300, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="checkpoint"):
        solve(delay=0.25, checkpoint=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_of_links_is_refused(share, tmp_path):
    path = tmp_path / "run.nc"
    solve(ntraj=300, checkpoint=path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    cut = path.read_bytes()
    with pytest.raises((ValueError, CheckpointFailed)):
        solve(checkpoint=path)
    assert path.read_bytes() == cut


def test_steps_that_differ_are_refused_in_time():
    """A delay of less than a step of the most steps there may be."""
    begin = time.process_time()
    with pytest.raises(ValueError, match="`dt` must be at least"):
        solve(delay=1e-12)
    assert time.process_time() - begin < 10
