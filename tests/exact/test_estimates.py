"""What is announced before work begins is in proportion to the work."""

import itertools
import time

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.estimate import Listener, listening
from wignerflow.exact import chain, counting

RATE = wf.coef([0.5, 1.5], [0.0, 1000.0])


def told(method, timed=False, N=8, end=250.0, times=3, ops=1, **given):
    s = wf.Ensemble(N, name="s")
    drive = RATE * s.Jx if timed else 1.0 * s.Jx
    jumps = [wf.LocalJump(s.sm, 1.0), wf.Jump(s.Jm, 0.3)]
    model = wf.Model(drive, jumps, initial={s: wf.bloch_vector(0.1, 0.2, 0.3)})
    e_ops = {f"z{k}": s.Jz + k for k in range(ops)}
    return model.estimate(np.linspace(0, end, times), e_ops=e_ops, method=method, **given)


BLOCKS, RUNS = wf.Exact("blocks"), wf.QuantumJumps("wavefunctions")


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("method", [BLOCKS, wf.Exact("occupations"), RUNS])
def test_time_and_memory_are_in_proportion(method, timed):
    given = {"ntraj": 1000, "seed": 1} if method is RUNS else {}
    first = told(method, timed, **given)
    long = told(method, timed, end=1000.0, **given)
    assert 2.5 < long.seconds / first.seconds < 5
    large = told(method, timed, N=12, **given)
    assert 1.5 < large.seconds / first.seconds < 30
    many, more = (told(method, timed, times=n, end=1e-3, **given) for n in (20_001, 80_001))
    assert 3 < more.seconds / many.seconds < 5 and 3 < more.bytes / many.bytes < 5
    assert 100 * 20_001 > many.bytes / given.get("ntraj", 1) > 8 * 20_001
    both = told(method, timed, times=20_001, ops=9, end=1e-3, **given)
    assert 3 < both.bytes / many.bytes < 10
    if method is RUNS:
        assert 1.9 < told(method, timed, ntraj=2000, seed=1).seconds / first.seconds < 2.1


@pytest.mark.parametrize("steady", [False, True])
def test_the_work_of_photon_statistics_is_counted_before(monkeypatch, steady):
    """Vectors that are brought over a bin, where the first takes one second."""
    s = wf.Ensemble(1, name="s")
    model = wf.Model(0.7 * s.Jx, [wf.Jump(s.Jm, 1.0)], initial={s: wf.up})
    made, advance = [], chain.Chain.advance

    def counted(self, first, t0, t1):
        made.append((len(self.offsets) - 1) * first.shape[1])
        return advance(self, first, t0, t1)

    monkeypatch.setattr(chain.Chain, "advance", counted)
    one, two = [s.Jm], [s.Jm, 0.5 * s.Jm + 0.2]
    for fields, g1, g2 in ((one, True, False), (one, False, True), (two, True, True)):
        clock = itertools.count()
        monkeypatch.setattr(time, "thread_time", lambda clock=clock: float(next(clock)))
        made.clear()
        heard = []
        with listening(Listener(heard.append)):
            counting.count(model, fields, 0.1 * np.arange(7), steady, g1=g1, g2=g2)
        (told,) = [x for x in heard if "photon statistics: 6 bins" in x.what]
        assert 0.9 < told.seconds / sum(made) < 1.45
        held = 16 * 4 * (len(fields) + 2)  # bytes of a column of elements, of all levels
        assert told.bytes == pytest.approx(held * (1 if steady else 3))
