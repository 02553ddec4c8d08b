"""Time-ordered correlations of four operators against QuTiP and closed forms."""

import numpy as np
import pytest

import wignerflow as wf

TAUS = np.array([0.0, 0.1, 0.4, 1.0, 2.5])


def emitter(rate=1.0, drive=0.7):
    """Resonance fluorescence of one spin."""
    spin = wf.Spin(name="spin")
    start = {spin: wf.bloch(2.5, 0.2)}
    model = wf.Model(0.5 * drive * spin.sx, [wf.Jump(spin.sm, rate)], initial=start)
    return model, spin


def test_g2_of_resonance_fluorescence():
    """The closed form of one driven emitter; antibunching at zero delay."""
    rate, drive = 1.0, 2.0
    model, s = emitter(rate, drive)
    raw = wf.correlation(model, taus=TAUS, ops=(s.sp, s.sp, s.sm, s.sm), method="exact")
    up = wf.steady_state(model, {"n": s.sp * s.sm}, "exact").expect["n"]
    # Carmichael and Walls (1976): drive Omega = `drive`, mu = sqrt(Omega^2 - rate^2 / 16)
    mu = np.sqrt(drive**2 - rate**2 / 16)
    decay = np.exp(-0.75 * rate * TAUS)
    expected = 1 - decay * (np.cos(mu * TAUS) + 0.75 * rate / mu * np.sin(mu * TAUS))
    assert np.allclose(raw.value / up**2, expected, atol=1e-6)
    assert raw.order == "time-ordered" and "(t+τ)" in raw.formula and np.all(raw.sem == 0)


def brute(model, ops, taus, t):
    """Tr[BC e^{L tau}(D rho(t) A)] by QuTiP."""
    qutip = pytest.importorskip("qutip")
    H, c_ops, rho, convert = model.to_qutip()
    options = {"atol": 1e-11, "rtol": 1e-10}
    if t > 0:
        rho = qutip.mesolve(H, rho, [0, t], c_ops, options=options).states[-1]
    A, B, C, D = (convert(op) for op in ops)
    later = qutip.mesolve(H, D * rho * A, taus, c_ops, e_ops=[B * C], options=options)
    return np.asarray(later.expect[0])


def models():
    """(name, model, four operators of which the first is not the adjoint of the last)."""
    model, s = emitter()
    yield "spin", model, (s.sp, s.sz, s.sm, s.sx + 0.3j * s.sy)
    atoms, mode = wf.Ensemble(2, name="atoms"), wf.Mode(name="mode", cutoff=8)
    H = 0.4 * (atoms.Jp * mode.a + atoms.Jm * mode.adag) + 0.1 * (mode.a + mode.adag)
    jumps = [wf.Jump(mode.a, 1.0), wf.LocalJump(atoms.sm, 0.3), wf.LocalJump(atoms.sz, 0.1)]
    model = wf.Model(H, jumps, initial={atoms: wf.bloch(0.8, 0.3), mode: wf.coherent(0.4)})
    yield "cavity", model, (mode.adag, atoms.Jp, atoms.Jm, mode.a)
    yield "mixed", model, (atoms.Jp, mode.adag, mode.a, atoms.Jz + 0.2 * mode.a)
    three = wf.Levels(2, ["g", "e", "f"], name="three")
    ge, ef = three.op("g", "e"), three.op("e", "f")
    H = 0.5 * (ge + ge.dag()) + 0.2j * (ef - ef.dag())
    jumps = [wf.Jump(ge, 1.0), wf.LocalJump(three.one("f", "g"), 0.6)]
    start = {three: wf.mixture({"e": 0.5, "g": 0.2, "f": 0.3})}
    yield "levels", wf.Model(H, jumps, initial=start), (ge.dag(), ef.dag(), ef + 0.3 * ge, ge * ef)
    yield "one", model, (mode.adag + 1j * atoms.Jx, mode.n, atoms.Jz, mode.a)


@pytest.mark.parametrize("t", [0.0, 0.6])
@pytest.mark.parametrize("case", list(models()), ids=lambda c: c[0])
def test_against_qutip(case, t):
    _, model, ops = case
    found = wf.correlation(model, taus=TAUS, ops=ops, t=t, method="exact")
    expected = brute(model, ops, TAUS, t)
    assert np.abs(expected).max() > 1e-3
    assert np.allclose(found.value, expected, atol=2e-6)
    swapped = brute(model, (ops[3].dag(), *ops[1:3], ops[0].dag()), TAUS, t)
    if case[0] in ("mixed", "one", "spin", "levels"):  # the wrong order would be seen
        assert not np.allclose(found.value, swapped, atol=1e-4)


def test_what_is_refused():
    model, s = emitter()
    ops = (s.sp, s.sp, s.sm, s.sm)
    for bad in (ops[:3], s.sp, (1, 2, 3, 4)):
        with pytest.raises(TypeError, match="`ops` must be four operators"):
            wf.correlation(model, taus=TAUS, ops=bad, method="exact")
    with pytest.raises(ValueError, match="`ops` must stand alone"):
        wf.correlation(model, s.sp, s.sm, TAUS, ops=ops, method="exact")
    with pytest.raises(TypeError, match="`A` must be an operator"):
        wf.correlation(model, taus=TAUS)
