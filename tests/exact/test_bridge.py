import sys

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact import blocks
from wignerflow.exact.bridge import model_to_qutip

qutip = pytest.importorskip("qutip")

OPTIONS = {"rtol": 1e-10, "atol": 1e-12, "progress_bar": ""}


def mesolve(model, t, ops):
    H, c_ops, rho0, convert = model_to_qutip(model)
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
    out = blocks.solve(model, t, ops, rtol=1e-9).expect
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
    want, out = mesolve(model, t, ops), blocks.solve(model, t, ops, rtol=1e-10).expect
    for name in ops:
        np.testing.assert_allclose(out[name], want[name], atol=1e-7)


def test_piqs_agrees():
    N = 6
    system = qutip.piqs.Dicke(N, emission=0.3, pumping=0.2, dephasing=0.1, collective_emission=0.7)
    system.hamiltonian = 0.8 * qutip.piqs.jspin(N, "x")
    t = np.linspace(0, 2, 5)
    jz, jx = qutip.piqs.jspin(N, "z"), qutip.piqs.jspin(N, "x")
    out = qutip.mesolve(
        system.liouvillian(), qutip.piqs.excited(N), t, e_ops=[jz, jx, jz * jx], options=OPTIONS
    )
    s = wf.Ensemble(N, name="s")
    model = wf.Model(
        0.8 * s.Jx,
        [
            wf.Jump(s.Jm, rate=0.7),
            wf.LocalJump(s.sm, rate=0.3),
            wf.LocalJump(s.sp, rate=0.2),
            wf.LocalJump(s.sz, rate=0.1 / 4),  # piqs: dephasing / 4 per sigma_z jump
        ],
        initial={s: wf.up},
    )
    ours = blocks.solve(model, t, {"z": s.Jz, "x": s.Jx, "zx": s.Jz * s.Jx}, rtol=1e-10).expect
    for mine, theirs in zip(ours.values(), out.expect, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-7)


def test_refusals(monkeypatch):
    s = wf.Ensemble(40, name="s")
    with pytest.raises(ValueError, match="Hilbert-space dimensions"):
        model_to_qutip(wf.Model(initial={s: wf.up}))
    monkeypatch.setitem(sys.modules, "qutip", None)
    with pytest.raises(ImportError, match=r"wignerflow\[exact\]"):
        model_to_qutip(wf.Model(initial={wf.Spin(name="q"): wf.up}))
