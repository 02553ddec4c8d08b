import sys

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact import runs

qutip = pytest.importorskip("qutip")

OPTIONS = {"rtol": 1e-10, "atol": 1e-12, "progress_bar": ""}


def mesolve(model, t, ops):
    H, c_ops, rho0, convert = model.to_qutip()
    out = qutip.mesolve(
        H, rho0, t, c_ops, e_ops=[convert(o) for o in ops.values()], options=OPTIONS
    )
    return dict(zip(ops, out.expect, strict=True))


def test_everything_at_once():
    s, c = wf.Ensemble(2, name="s", count=2), wf.CollectiveSpin(1, name="c")
    q, a = wf.Spin(name="q"), wf.Mode(name="a", cutoff=3)
    model = wf.Model(
        0.7 * (s[0].Jp * a.a + a.adag * s[0].Jm) + 0.3 * s[1].Jx * c.Jy + 0.5 * q.sx * c.Jz,
        [
            wf.Jump(s.Jm.sum() + 0.3 * q.sm, rate=0.4),
            wf.Jump(a.a, rate=1.0),
            wf.LocalJump(s.sp + 0.2 * s.sz, rate=[0.2, 0.5]),
        ],
        initial={
            s: [wf.up, wf.bloch_vector(0.1, 0.2, 0.3)],
            c: wf.bloch(0.5, 0.3),
            q: wf.down,
            a: wf.coherent(0.3),
        },
    )
    ops = {"a": a.n, "s": s[0].Jz, "x": s[1].Jx * c.Jy, "g": s[0].Jp * s[1].Jm, "q": q.sz}
    t = np.linspace(0, 1, 4)
    want = mesolve(model, t, ops)
    out = runs.solve("blocks", model, t, ops, rtol=1e-9).expect
    for name in ops:
        np.testing.assert_allclose(out[name], want[name], atol=1e-7, err_msg=name)


def test_time_dependence():
    s = wf.Ensemble(2, name="s")
    drive = wf.coef(lambda t: np.exp(0.3j * t))
    model = wf.Model(
        drive * s.Jm + (drive * s.Jm).dag(),
        [
            wf.Jump(s.Jm, rate=wf.coef(lambda t: 1 + t)),
            wf.LocalJump(s.sz, rate=wf.coef([0.1, 0.4], [0, 2])),
        ],
        initial={s: wf.up},
    )
    ops = {"z": s.Jz, "m": s.Jm}
    t = np.linspace(0, 2, 5)
    want, out = mesolve(model, t, ops), runs.solve("blocks", model, t, ops, rtol=1e-10).expect
    for name in ops:
        np.testing.assert_allclose(out[name], want[name], atol=1e-7)


def piqs_mesolve(system, t, e_ops):
    state = qutip.piqs.excited(system.N)
    return qutip.mesolve(system.liouvillian(), state, t, e_ops=e_ops, options=OPTIONS).expect


RATES = {"emission": 0.3, "pumping": 0.2, "dephasing": 0.9}
COLLECTIVE = {"emission": 0.7, "dephasing": 0.6, "pumping": 0.4}


@pytest.mark.parametrize("rate", [*RATES, *(f"collective_{k}" for k in COLLECTIVE), "all"])
def test_piqs_models_become_ours(rate):
    N, t = 4, np.linspace(0, 2, 5)
    rates = {**RATES, **{f"collective_{k}": v for k, v in COLLECTIVE.items()}}
    jx, jy, jz = qutip.piqs.jspin(N)
    system = qutip.piqs.Dicke(N, **(rates if rate == "all" else {rate: rates[rate]}))
    system.hamiltonian = 0.8 * jx + 0.3 * jz * jz + 0.2 * (jx * jy + jy * jx) - 0.5
    model = wf.from_piqs(system)
    (s,) = model.subsystems
    want = piqs_mesolve(system, t, [jz, jx, jz * jx])
    ops = {"z": s.Jz, "x": s.Jx, "zx": s.Jz * s.Jx}
    ours = runs.solve("blocks", model, t, ops, rtol=1e-10).expect
    for mine, theirs in zip(ours.values(), want, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-7)
    # negative control: any rate off by a quarter shows
    for jump in model.jumps:
        jump.rate *= 1.25
    other = runs.solve("blocks", model, t, ops, rtol=1e-10).expect
    assert max(np.abs(other[k] - ours[k]).max() for k in ops) > 1e-2


def test_piqs_hamiltonian_or_none():
    for N in (1, 2, 5):
        jx, jy, _ = qutip.piqs.jspin(N)
        system = qutip.piqs.Dicke(N, hamiltonian=2 * jx - jy, emission=0.1)
        model = wf.from_piqs(system, initial=wf.down, name="a")
        (s,) = model.subsystems
        assert model.H == 2 * s.Jx - s.Jy and s.name == "a" and model.initial[s] == (wf.down,)
    assert not wf.from_piqs(qutip.piqs.Dicke(3)).H.terms


def test_every_piqs_hamiltonian_of_second_degree():
    """On the largest J of four, where its matrix is that of our own operators."""
    c = np.array([[0.3, 0.5, -0.7], [0, -0.4, 0.9], [0, 0, 0.6]])
    linear = [0.2, -1.1, 0.8]

    def polynomial(x):
        return sum(v * J for v, J in zip(linear, x, strict=True)) + sum(
            c[a, b] / 2 * (x[a] * x[b] + x[b] * x[a]) for a in range(3) for b in range(a, 3)
        )

    N = 4
    system = qutip.piqs.Dicke(N, hamiltonian=polynomial(qutip.piqs.jspin(N)))
    model = wf.from_piqs(system, initial=wf.bloch(0.7, 0.4))
    (s,) = model.subsystems
    found = runs.solve(
        "blocks", model, np.array([0, 0.9]), {"x": s.Jx, "y": s.Jy, "z": s.Jz}
    ).expect
    U = (-0.9j * polynomial(qutip.jmat(N / 2))).expm()
    psi = U * qutip.spin_coherent(N / 2, 0.7, 0.4)
    for name, J in zip("xyz", qutip.jmat(N / 2), strict=True):
        np.testing.assert_allclose(found[name][1], qutip.expect(J, psi), atol=1e-7)


def test_piqs_refusals():
    with pytest.raises(TypeError, match=r"must be a qutip\.piqs\.Dicke"):
        wf.from_piqs(4)
    jz = qutip.piqs.jspin(4, "z")
    with pytest.raises(ValueError, match="polynomial of at most second degree"):
        wf.from_piqs(qutip.piqs.Dicke(4, hamiltonian=jz**3))
    with pytest.raises(ValueError, match="Dicke basis"):
        wf.from_piqs(qutip.piqs.Dicke(4, hamiltonian=qutip.sigmax()))
    with pytest.raises(ValueError, match="non-negative"):
        wf.from_piqs(qutip.piqs.Dicke(4, emission=-1.0))


def test_array_operators_and_correlated_rates_convert():
    chain = wf.Spin(name="chain", count=3)
    J, Gamma = wf.emitters.free_space(0.2 * np.eye(3), [1, 1j, 0], 1.0)
    H = wf.couple(chain.sp, J, chain.sm) + 0.3 * chain[0].sx
    model = wf.Model(H, [wf.Jump(chain.sm, rate=Gamma)], initial={chain: wf.up})
    _, c_ops, rho0, convert = model.to_qutip()
    assert rho0.shape == (8, 8) and len(c_ops) == 3
    members = convert(chain.sp)
    total = sum(Gamma[i, j] * members[i] * members[j].dag() for i in range(3) for j in range(3))
    assert (sum(c.dag() * c for c in c_ops) - total).norm() < 1e-12
    assert (convert(wf.couple(chain.sp, Gamma, chain.sm)) - total).norm() < 1e-12
    t = np.linspace(0, 1, 3)
    ops = {"emission": wf.couple(chain.sp, Gamma, chain.sm)}
    want = mesolve(model, t, ops)["emission"]
    out = runs.solve("blocks", model, t, ops).expect["emission"]
    np.testing.assert_allclose(out, want, atol=1e-6)


def test_refusals(monkeypatch):
    s = wf.Ensemble(40, name="s")
    with pytest.raises(ValueError, match="Hilbert-space dimensions"):
        wf.Model(initial={s: wf.up}).to_qutip()
    a = wf.Mode(name="cavity")
    model = wf.Model(a.n, initial={a: wf.coherent(1.0)})
    with pytest.raises(ValueError, match="`cutoffs` must hold one for mode 'cavity'"):
        model.to_qutip()
    assert model.to_qutip(cutoffs={a: 9}).H.shape == (9, 9)
    spins = wf.Spin(name="spins")
    both = wf.Model(a.n + spins.sz, initial={a: wf.vacuum, spins: wf.up})
    for sub in (s, spins, wf.Mode(name="another")):
        with pytest.raises(ValueError, match="modes of the model"):
            both.to_qutip(cutoffs={a: 9, sub: 9})
    monkeypatch.setitem(sys.modules, "qutip", None)
    with pytest.raises(ImportError, match=r"wignerflow\[exact\]"):
        wf.Model(initial={wf.Spin(name="q"): wf.up}).to_qutip()
