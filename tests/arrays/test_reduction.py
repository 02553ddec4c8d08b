"""The reduction of arrays to one large ensemble, against block density matrices of the array."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact.reduction import NotReducible, Reduction, reduced

TIMES = np.linspace(0, 0.8, 5)
TILTED = wf.bloch_vector(0.3, -0.1, 0.5)


def exact(model, ops, engine=None):
    return wf.solve(model, TIMES, e_ops=ops, method=wf.Exact(engine), progress=False)


def chain_model(numbers, *, phi=0.0, drive=0.0, state=None, pump=2.0):
    chain = wf.Ensemble(numbers, count=len(numbers), name="chain")
    H, jumps = wf.waveguide(chain, phi, 1.0)
    if drive:
        H = H + drive * chain.Jx.sum() + 0.3 * chain.Jz.sum() * chain.Jz.sum()
    jumps = [*jumps, wf.LocalJump(chain.sp, pump), wf.LocalJump(chain.sz, 0.2)]
    return chain, wf.Model(H, jumps, initial={chain: state or wf.down})


def agree(model, ops, tolerance=1e-7):
    """Both solutions, and that they are made in two ways."""
    one, two = exact(model, ops, "blocks"), exact(model, ops)
    assert "all alike" in two.stats["why"] and "all alike" not in one.stats["why"]
    for name in ops:
        np.testing.assert_allclose(two.expect[name], one.expect[name], atol=tolerance, err_msg=name)
    return two


@pytest.mark.parametrize("numbers", [[3, 3], [2, 2, 2], [1, 3], [1, 1, 2]])
@pytest.mark.parametrize("drive", [0.0, 0.7])
def test_site_observables_follow_from_the_total(numbers, drive):
    chain, model = chain_model(numbers, drive=drive, state=TILTED)
    M = len(numbers)
    ops = {
        "third": (chain.Jx.sum() + 0.2) ** 3,
        "bond": wf.couple(chain.Jp, np.eye(M, k=1), chain.Jz),
    }
    for m in range(M):
        ops |= {
            f"z{m}": chain[m].Jz,
            f"xy{m}": chain[m].Jx * chain[m].Jy,
            f"zz{m}": chain[m].Jz ** 2,
        }
        for n in range(M):
            ops[f"c{m}{n}"] = chain[m].Jp * chain[n].Jm
            ops[f"y{m}{n}"] = chain[m].Jy * chain[n].Jz
    ops["waves"] = (chain.Jp * np.exp(1j * np.arange(M))).sum() * chain.Jm.sum()
    result = agree(model, ops)
    if numbers[0] > 1:  # on-site and other correlations differ
        assert np.abs(result.expect["c00"] - result.expect["c01"]).max() > 0.1


def test_spins_and_a_mode_beside_them():
    spins, cav = wf.Spin(count=4), wf.Mode(cutoff=8)
    rates = 0.3 * np.eye(4) + 0.2
    model = wf.Model(
        0.4 * spins.sx.sum() + 0.2 * wf.couple(spins.sz, wf.AllToAll(), spins.sz)
        + 0.3 * (cav.adag * spins.sm.sum() + cav.a * spins.sp.sum()),
        [wf.Jump(cav.a, 1.0), wf.Jump(spins.sm, rates), wf.Jump(spins.sz + 0.3j * spins.sx, 0.1)],
        initial={spins: wf.bloch(0.7, 0.4), cav: wf.vacuum},
    )  # fmt: skip
    pair = wf.couple(spins.sx, np.eye(4, k=1), spins.sy)
    agree(model, {"z": spins[2].sz, "bond": pair, "n": cav.n, "a": cav.a * spins[1].sp}, 3e-6)


def test_rates_in_time_of_members_that_are_alike():
    """The same jump twice at one rate, another beside it, and members of which one has none."""
    chain = wf.Ensemble([1, 2], count=2)
    rate = wf.coef(lambda t: 0.5 + 2 * t)
    H = wf.coef(np.cos) * chain.Jx.sum()
    jumps = [wf.LocalJump(chain.sp + 0.3 * chain.sz, rate)] * 2
    jumps += [wf.LocalJump(chain.sm, 0.4), wf.LocalJump(chain.sm, wf.coef(np.exp))]
    jumps += [wf.Jump(chain.Jm.sum(), rate)]
    pulse = wf.pulse(0.3, chain.Jy.sum(), 0.6)
    model = wf.Model(H, jumps, initial={chain: TILTED}, pulses=[pulse])
    ops = {"z0": chain[0].Jz, "x1": chain[1].Jx, "pm": chain[0].Jp * chain[1].Jm}
    result = agree(model, ops)
    assert min(np.ptp(np.abs(result.expect[name])) for name in ops) > 1e-2
    alone = wf.LocalJump(chain[1].sm, rate)
    other = wf.Model(H, [*jumps, alone], initial={chain: TILTED})
    with pytest.raises(NotReducible, match="different local jumps"):
        Reduction(other, chain)


def test_long_chains_have_exact_solutions():
    N, M = 10, 20
    chain = wf.Ensemble(N, count=M)
    H, jumps = wf.waveguide(chain, 0.0, 1.0)
    jumps = [*jumps, wf.LocalJump(chain.sp, 50.0)]
    model = wf.Model(H, jumps, initial={chain: wf.up})
    one = wf.Ensemble(N * M)
    same = [wf.Jump(one.Jm, 1.0), wf.LocalJump(one.sp, 50.0)]
    reference = wf.Model(jumps=same, initial={one: wf.up})
    times = np.linspace(0, 0.05, 6)
    left = wf.solve(model, times, e_ops={"e": chain.Jp.sum() * chain.Jm.sum()}, method="exact")
    right = wf.solve(reference, times, e_ops={"e": one.Jp * one.Jm}, method="exact")
    np.testing.assert_allclose(left.expect["e"], right.expect["e"], rtol=1e-9)
    chosen = wf.solve(model, times, e_ops={"e": chain.Jp * chain.Jm}, method="auto")
    assert chosen.method == "exact"
    np.testing.assert_allclose(
        chosen.expect["e"][:, 0],
        wf.solve(model, times, e_ops={"e": chain[0].Jp * chain[0].Jm}, method="exact").expect["e"],
        rtol=1e-9,
    )
    first = {"e": chain[0].Jp * chain[0].Jm}
    exactly = wf.solve(model, times, e_ops=first, method="exact").expect["e"]
    jumps_ = wf.solve(model, times, e_ops=first, method="jumps", ntraj=2000, seed=4)
    assert "all alike" in jumps_.stats["why"]
    assert np.all(np.abs(jumps_.expect["e"] - exactly) < 5 * jumps_.sem["e"] + 1e-9)
    steady = wf.steady_state(model, first, method="exact")
    assert steady.expect["e"] == pytest.approx(exactly[-1], rel=0.1)


def test_a_phase_is_not_reducible_and_matters():
    chain, model = chain_model([3, 3], phi=0.8)
    with pytest.raises(NotReducible, match="tells the members apart"):
        Reduction(model, chain)
    other, equal = chain_model([3, 3])
    wrong = exact(equal, {"e": other[0].Jp * other[0].Jm}).expect["e"]
    right = exact(model, {"e": chain[0].Jp * chain[0].Jm}).expect["e"]
    assert np.abs(wrong - right).max() > 1e4 * 1e-7  # negative control: far beyond agreement


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c: {"initial": {c: [wf.up, wf.down]}}, "different states"),
        (lambda c: {"jumps": [wf.LocalJump(c.sp, [1.0, 2.0])]}, "different local jumps"),
        (lambda c: {"jumps": [wf.Jump(c.Jm, 1.0)]}, "one by one"),
        (lambda c: {"jumps": [wf.Jump(c.Jm, [[1.0, 0.5], [0.5, 1.0]])]}, "one by one"),
        (lambda c: {"jumps": [wf.Jump(c.Jm * [1, 1j], np.ones((2, 2)))]}, "one by one"),
        (lambda c: {"jumps": [wf.Jump((c.Jm * [1, 2]).sum(), 1.0)]}, "tells the members apart"),
        (lambda c: {"H": (c.Jz * c.Jz).sum()}, "products on one member"),
        (lambda c: {"H": c[0].Jz}, "tells the members apart"),
        (lambda c: {"H": wf.couple(c.Jp, wf.NearestNeighbour(), c.Jm)}, "tells the members apart"),
    ],
)
def test_refusals_say_why(change, why):
    chain = wf.Ensemble(3, count=2, name="chain")
    arguments = {"H": None, "jumps": (), "initial": {chain: wf.down}} | change(chain)
    model = wf.Model(arguments.pop("H"), **arguments)
    with pytest.raises(NotReducible, match=why):
        Reduction(model, chain)
    assert reduced(model, {"z": chain[0].Jz})[0] is model


def test_what_has_no_mean_by_it_keeps_the_array():
    chain, model = chain_model([2, 2], state=TILTED)
    third = {"third": chain[0].Jz * chain[1].Jz * chain[1].Jx, "z": chain[0].Jz}
    result = exact(model, third)
    assert "all alike" not in result.stats["why"]
    np.testing.assert_allclose(
        result.expect["third"], exact(model, third, "blocks").expect["third"], atol=1e-9
    )
