"""The reduction to one large ensemble against block density matrices of the array itself."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact.reduction import NotReducible, reduce

TIMES = np.linspace(0, 0.8, 5)


def exact(model, ops):
    return wf.solve(model, TIMES, e_ops=ops, method=wf.Exact("blocks"), progress=False).expect


def chain_model(numbers, *, phi=0.0, drive=0.0, state=None, pump=2.0):
    chain = wf.Ensemble(numbers, count=len(numbers), name="chain")
    H, jumps = wf.waveguide(chain, phi, 1.0)
    if drive:
        H = H + drive * chain.Jx.sum() + 0.3 * chain.Jz.sum() * chain.Jz.sum()
    jumps = [*jumps, wf.LocalJump(chain.sp, pump), wf.LocalJump(chain.sz, 0.2)]
    return chain, wf.Model(H, jumps, initial={chain: state or wf.down})


@pytest.mark.parametrize("numbers", [[3, 3], [2, 2, 2], [1, 3], [1, 1, 2]])
@pytest.mark.parametrize("drive", [0.0, 0.7])
def test_site_observables_follow_from_the_total(numbers, drive):
    chain, model = chain_model(numbers, drive=drive, state=wf.bloch_vector(0.3, -0.1, 0.5))
    small = reduce(model)
    M = len(numbers)
    left, right = {}, {}
    for m in range(M):
        left[f"z{m}"], right[f"z{m}"] = chain[m].Jz, small.inversion(m)
        for n in range(M):
            left[f"c{m}{n}"] = chain[m].Jp * chain[n].Jm
            right[f"c{m}{n}"] = small.correlation(m, n)
    one, two = exact(model, left), exact(small.model, right)
    for name in left:
        np.testing.assert_allclose(two[name], one[name].real, atol=1e-7)
        assert np.abs(np.imag(one[name])).max() < 1e-7
    if numbers[0] > 1:  # on-site and other correlations differ
        assert np.abs(one["c00"] - one["c01"]).max() > 0.1


def test_a_phase_is_not_reducible_and_matters():
    chain, model = chain_model([3, 3], phi=0.8)
    with pytest.raises(NotReducible, match="tells the members apart"):
        reduce(model)
    _, equal = chain_model([3, 3])
    small = reduce(equal)
    wrong = exact(small.model, {"e": small.emission(0)})["e"]
    right = exact(model, {"e": chain[0].Jp * chain[0].Jm})["e"]
    assert np.abs(wrong - right).max() > 1e4 * 1e-7  # negative control: far beyond agreement


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c: {"initial": {c: [wf.up, wf.down]}}, "different states"),
        (lambda c: {"jumps": [wf.LocalJump(c.sp, [1.0, 2.0])]}, "different local jumps"),
        (lambda c: {"jumps": [wf.Jump(c.Jm, 1.0)]}, "one by one"),
        (lambda c: {"H": (c.Jz * c.Jz).sum()}, "products on one member"),
        (lambda c: {"H": c[0].Jz}, "tells the members apart"),
        (lambda c: {"H": wf.couple(c.Jp, wf.NearestNeighbour(), c.Jm)}, "tells the members apart"),
    ],
)
def test_refusals_say_why(change, why):
    chain = wf.Ensemble(3, count=2, name="chain")
    arguments = {"H": None, "jumps": (), "initial": {chain: wf.down}} | change(chain)
    with pytest.raises(NotReducible, match=why):
        reduce(wf.Model(arguments.pop("H"), **arguments))
