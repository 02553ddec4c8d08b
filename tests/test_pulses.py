"""Instantaneous pulses: what they do to variables, and every method against exact solutions."""

import numpy as np
import pytest
import scipy.linalg

import wignerflow as wf
from wignerflow.model.serialize import digest
from wignerflow.phasespace.pulses import pulse_maps
from wignerflow.runfile import read_run

LIMIT = 4.5  # of about 300 numbers, many of them correlated
TIMES = np.linspace(0, 1, 5)


def solve(model, t, e_ops, method="exact", **options):
    options = {"ntraj": 4000, "seed": 5, "truncation": False, "progress": False, **options}
    return wf.solve(model, t, e_ops=e_ops, method=method, **options)


def worst(model, e_ops, method, reference, **options):
    """The largest deviation in stated errors: of sampling, and of the step without noise."""
    found = solve(model, TIMES, e_ops, method, **options)
    z = []
    for k in e_ops:
        sem, floor = found.sem[k], 2e-6 * (1 + np.abs(reference.expect[k]).max())
        step = found.step_error[k] if np.all(sem < floor) and k in found.step_error else 0 * sem
        z.append(np.abs(found.expect[k] - reference.expect[k]) / np.hypot(sem, step + floor))
    return max(float(x.max()) for x in z)


# ---------------------------------------------------------------- variables against matrices


def spin_matrices(size):
    m = np.arange(size - 1, -size, -2) / 2
    j = (size - 1) / 2
    raising = np.diag(np.sqrt(j * (j + 1) - m[1:] * (m[1:] + 1)), 1)
    lowering = raising.T
    return [(raising + lowering) / 2, (raising - lowering) / 2j, np.diag(m)]


def mapped(system, model, size):
    """The matrix and shift of the pulses of a model."""
    A, b = np.eye(size), np.zeros(size)
    for one in pulse_maps(system, model):
        step, shift = np.eye(size), np.zeros(size)
        step[one.rows] = 0
        step[tuple(one.entries.T)] = one.values
        shift[one.rows] = one.shift
        A, b = step @ A, step @ b + shift
    return A, b


def turned(x, matrices, generators):
    """U^+ x U for the pulses exp(-i G), one after the other."""
    U = np.eye(len(x), dtype=complex)
    for G in generators:
        U = scipy.linalg.expm(-1j * G) @ U
    return U.conj().T @ x @ U


@pytest.mark.parametrize("seed", range(4))
def test_spins_turn_as_their_operators_do(seed):
    rng = np.random.default_rng(seed)
    atoms, spin = wf.Ensemble(3), wf.Spin(name="one", count=2)
    u, v, w = rng.normal(size=(3, 3))
    ops = [atoms.Jx, atoms.Jy, atoms.Jz]
    ones = [spin[1].sx, spin[1].sy, spin[1].sz]
    pulses = [
        wf.pulse(0.0, sum(c * o for c, o in zip(u, ops, strict=True)), 0.7),
        wf.pulse(0.0, sum(c * o for c, o in zip(v, ops, strict=True)) + 3.0, -1.9),
        wf.pulse(0.0, sum(c * o for c, o in zip(w, ones, strict=True)), 0.4),
    ]
    model = wf.Model(initial={atoms: wf.up, spin: wf.up}, pulses=pulses)
    system, _ = wf.TWA().lower(model, {}, None)
    A, b = mapped(system, model, 9)
    J, s = spin_matrices(4), spin_matrices(2)
    generators = [0.7 * sum(c * x for c, x in zip(u, J, strict=True))]
    generators += [-1.9 * sum(c * x for c, x in zip(v, J, strict=True))]
    for k in range(3):
        expected = turned(J[k], J, generators)
        np.testing.assert_allclose(sum(A[k, j] * J[j] for j in range(3)), expected, atol=1e-12)
        other = turned(J[k], J, [-G for G in generators])  # the negative control
        assert np.abs(other - expected).max() > 0.1
        expected = turned(s[k], s, [0.8 * sum(c * x for c, x in zip(w, s, strict=True))])
        np.testing.assert_allclose(
            sum(A[6 + k, 6 + j] * s[j] for j in range(3)), expected, atol=1e-12
        )
    np.testing.assert_allclose(A[3:6, 3:6], np.eye(3))
    assert not np.any(b)


def test_modes_move_as_their_operators_do():
    one, two = wf.Mode(name="one"), wf.Mode(name="two")
    a, c = one.a, two.a
    H = 0.3 * (a.dag() * c + c.dag() * a) + 0.1j * (a * a - a.dag() * a.dag())
    H = H + 0.2 * one.n + (0.4 - 0.1j) * a + (0.4 + 0.1j) * a.dag()
    model = wf.Model(initial={one: wf.vacuum, two: wf.vacuum}, pulses=[wf.pulse(0.0, H, 0.9)])
    system, _ = wf.TWA().lower(model, {}, None)
    A, b = mapped(system, model, 4)
    size = 20
    lower = np.diag(np.sqrt(np.arange(1, size)), 1)
    x, y = np.kron(lower, np.eye(size)), np.kron(np.eye(size), lower)
    G = 0.3 * (x.T @ y + y.T @ x) + 0.1j * (x @ x - x.T @ x.T) + 0.2 * x.T @ x
    G = 0.9 * (G + (0.4 - 0.1j) * x + (0.4 + 0.1j) * x.T)
    # of the coherent vacuum alone: the matrices end at some number
    psi = np.zeros(size**2, complex)
    psi[0] = 1
    psi = scipy.sparse.linalg.expm_multiply(-1j * G, psi)
    variables = [(x + x.T) / 2, (x - x.T) / 2j, (y + y.T) / 2, (y - y.T) / 2j]
    mean = np.array([np.vdot(psi, v @ psi).real for v in variables])
    pairs = np.array(
        [[np.vdot(psi, (v @ w + w @ v) @ psi).real / 2 for w in variables] for v in variables]
    )
    np.testing.assert_allclose(b, mean, atol=1e-7)
    np.testing.assert_allclose(A @ A.T / 4, pairs - np.outer(mean, mean), atol=1e-7)
    assert np.abs(A.T @ A / 4 - A @ A.T / 4).max() > 1e-3  # the check can fail


def test_modes_of_an_array_and_between_arrays():
    one, two = wf.Mode(name="one", count=3), wf.Mode(name="two")
    splitter = 1j * (one[0].adag * one[1].a - one[1].adag * one[0].a)
    star = (np.array([0.2, 0.0, 0.5]) * one.adag).sum() * two.a
    hop = wf.couple(one.adag, np.array([[0, 0.3j, 0], [-0.3j, 0, 0.1], [0, 0.1, 0]]), one.a)
    pulses = [
        wf.pulse(0.0, (1j * (one.adag - one.a)).sum(), 1.0),
        wf.pulse(0.0, splitter, 0.5),
        wf.pulse(0.0, star + star.dag(), 0.7),
        wf.pulse(0.0, hop, 1.1),
    ]
    model = wf.Model(initial={one: wf.vacuum, two: wf.coherent(0.5j)}, pulses=pulses)
    e_ops = {"one": one.n, "two": two.a, "across": one[0].adag * one[2].a}
    t = [0.0, 0.1]
    reference = solve(model, t, e_ops, "cumulant")
    found = solve(model, t, e_ops, "mean-field")
    for k in e_ops:  # coherent states stay such
        np.testing.assert_allclose(found.expect[k], reference.expect[k], atol=1e-6)
    assert np.ptp(found.expect["one"][0]) > 0.1


# ---------------------------------------------------------------- every method


def ensemble(sign=1.0, times=(0.0, 0.45, 1.0)):
    atoms = wf.Ensemble(40, name="atoms")
    first, second, third = times
    pulses = [
        wf.pulse(first, atoms.Jx, np.pi / 2),
        wf.pulse(second, 0.6 * atoms.Jx + 0.8 * atoms.Jy, sign * 2.0),
        wf.pulse(third, atoms.Jy, 0.5),
        wf.pulse(7.0, atoms.Jz, 0.5),  # not reached
    ]
    jumps = [wf.Jump(atoms.Jm, 0.01), wf.LocalJump(atoms.sz, 0.1), wf.LocalJump(atoms.sm, 0.2)]
    model = wf.Model(1.7 * atoms.Jz, jumps, initial={atoms: wf.down}, pulses=pulses)
    return model, {"x": atoms.Jx, "y": atoms.Jy, "z": atoms.Jz}


@pytest.fixture(scope="module")
def exact():
    model, e_ops = ensemble()
    return solve(model, TIMES, e_ops)


def test_trajectories_and_their_negative_control(exact):
    assert worst(*ensemble(), "twa", exact) < LIMIT
    assert worst(*ensemble(-1.0), "twa", exact) > 50


@pytest.mark.slow
@pytest.mark.parametrize("method", [wf.TWA(form="rotor"), wf.TWA(scheme="small-noise")])
def test_other_forms(exact, method):
    assert worst(*ensemble(), method, exact) < LIMIT


def test_exact_solution_between_pulses(exact):
    """The state after a pulse as an initial state gives the rest of the run."""
    atoms = wf.Ensemble(1, name="atom")
    turn = wf.pulse(0.0, atoms.Jy, 0.8)
    jumps = [wf.LocalJump(atoms.sm, 0.3)]
    e_ops = {"x": atoms.Jx, "y": atoms.Jy, "z": atoms.Jz}
    pulsed = solve(wf.Model(2 * atoms.Jx, jumps, initial={atoms: wf.up}, pulses=[turn]),
                   TIMES, e_ops)  # fmt: skip
    started = solve(wf.Model(2 * atoms.Jx, jumps, initial={atoms: wf.bloch(0.8, 0)}), TIMES, e_ops)
    for k in e_ops:
        np.testing.assert_allclose(pulsed.expect[k], started.expect[k], atol=1e-9)
    first = exact.expect
    np.testing.assert_allclose([first[k][0] for k in "xyz"], [0, 20, 0], atol=1e-8)


def test_cumulants_and_jumps(exact):
    model, e_ops = ensemble()
    found = solve(model, TIMES, e_ops, "cumulant")
    for k in e_ops:
        np.testing.assert_allclose(found.expect[k], exact.expect[k], atol=2e-3)
    small = [wf.Ensemble(3, name="atoms"), wf.Mode(name="cavity", cutoff=12)]
    atoms, cavity = small
    H = 1.1 * (atoms.Jp * cavity.a + atoms.Jm * cavity.adag)
    pulses = [
        wf.pulse(0.3, 1j * (cavity.adag - cavity.a), 0.6),
        wf.pulse(0.3, atoms.Jx, 1.0),
        wf.pulse(0.3, cavity.n, 0.5),
    ]
    jumps = [wf.Jump(cavity.a, 0.5), wf.LocalJump(atoms.sm, 0.2)]
    initial = {atoms: wf.up, cavity: wf.vacuum}
    model = wf.Model(H, jumps, initial=initial, pulses=pulses)
    e_ops = {"n": cavity.n, "q": cavity.a + cavity.adag, "z": atoms.Jz}
    reference = solve(model, TIMES, e_ops)
    assert worst(model, e_ops, "jumps", reference, ntraj=300) < LIMIT
    other = wf.Model(H, jumps, initial=initial, pulses=pulses[:2])
    assert worst(other, e_ops, "jumps", reference, ntraj=300) > LIMIT


def test_mean_field():
    """Without collective jumps means of spins are exact."""
    atoms = wf.Ensemble(5, name="atoms")
    pulses = [wf.pulse(0.0, atoms.Jx, np.pi / 2), wf.pulse(0.6, atoms.Jx, np.pi)]
    jumps = [wf.LocalJump(atoms.sm, 0.2)]
    model = wf.Model(1.7 * atoms.Jz, jumps, initial={atoms: wf.down}, pulses=pulses)
    e_ops = {"x": atoms.Jx, "y": atoms.Jy, "z": atoms.Jz}
    reference, found = (solve(model, TIMES, e_ops, m) for m in ("exact", "mean-field"))
    for k in e_ops:
        np.testing.assert_allclose(found.expect[k], reference.expect[k], atol=2e-6)


@pytest.mark.parametrize(
    "method", ["schwinger-w", pytest.param("schwinger-p", marks=pytest.mark.slow),
               pytest.param("schwinger-q", marks=pytest.mark.slow), "generalized-p"]
)  # fmt: skip
def test_other_distributions(method):
    """Under H and pulses alone all of them are exact."""
    spin = wf.CollectiveSpin(10, name="spin")
    pulses = [wf.pulse(0.0, spin.Jx, np.pi / 2), wf.pulse(0.6, 0.6 * spin.Jx + spin.Jy, 1.3)]
    jumps = [wf.Jump(spin.Jz, 0.1)] if method != "schwinger-p" else []
    model = wf.Model(1.7 * spin.Jz, jumps, initial={spin: wf.up}, pulses=pulses)
    e_ops = {"x": spin.Jx, "y": spin.Jy, "z": spin.Jz}
    reference = solve(model, TIMES, e_ops)
    assert worst(model, e_ops, method, reference) < LIMIT


def test_levels():
    atoms = wf.Levels(6, ("g", "r", "e"), name="atoms")
    flip = atoms.op("g", "e") + atoms.op("e", "g")
    pulses = [wf.pulse(0.0, flip, np.pi / 4), wf.pulse(0.6, flip + 0.3 * atoms.pop("r"), 0.9)]
    jumps = [wf.LocalJump(atoms.one("r", "e"), 0.4)]
    model = wf.Model(0.9 * atoms.pop("e"), jumps, initial={atoms: wf.level("g")}, pulses=pulses)
    e_ops = {k: atoms.pop(k) for k in "gre"} | {"d": flip}
    reference = solve(model, TIMES, e_ops)
    np.testing.assert_allclose(reference.expect["e"][0], 3, atol=1e-8)
    assert worst(model, e_ops, "twa", reference) < LIMIT


@pytest.mark.slow
def test_clusters_and_pulses_inside_them():
    chain = wf.Spin(name="chain", count=4)
    bonds = wf.couple(chain.sz, wf.NearestNeighbour(), chain.sz)
    pair = chain[0].sx * chain[1].sx
    pulses = [
        wf.pulse(0.0, chain.sx.sum(), np.pi / 4),
        wf.pulse(0.55, chain.sy.sum() + pair, 0.7),
    ]
    model = wf.Model(0.05 * bonds, [wf.Jump(chain.sm, 0.3)], initial={chain: wf.down},
                     pulses=pulses)  # fmt: skip
    e_ops = {"x": chain.sx.sum(), "z": chain.sz.sum(), "xx": pair}
    reference = solve(model, TIMES, e_ops)
    found = solve(model, TIMES, e_ops, wf.ClusterTWA(2), ntraj=8000)
    for k in e_ops:  # what is cut between clusters is small here
        error = np.abs(found.expect[k] - reference.expect[k])
        assert np.all(error < LIMIT * found.sem[k] + 0.02)
    with pytest.raises(ValueError, match="nonlinear"):
        solve(model, TIMES, e_ops, "spin-twa")


# ---------------------------------------------------------------- what one does with them


def test_echo_of_disordered_spins():
    """The first pulse tips, dephasing by disorder is undone by the second."""
    rng = np.random.default_rng(3)
    spins = wf.Spin(name="spins", count=30)
    detuning = rng.normal(0, 3, 30)
    turn = spins.sx.sum() / 2
    pulses = [wf.pulse(0.0, turn, np.pi / 2), wf.pulse(2.0, turn, np.pi)]
    model = wf.Model((detuning * spins.sz).sum() / 2, [wf.Jump(spins.sz, 0.05)],
                     initial={spins: wf.down}, pulses=pulses)  # fmt: skip
    e_ops = {"y": spins.sy.sum()}
    t = [0.0, 2.0, 4.0]
    found = solve(model, t, e_ops, "mean-field").expect["y"]
    assert found[0] == pytest.approx(30)
    assert abs(found[1]) < 12
    assert found[2] == pytest.approx(-30 * np.exp(-0.1 * 4), rel=1e-5)


def test_ramsey_fringes():
    atoms = wf.Ensemble(100, name="atoms")
    pulses = [wf.pulse(t, atoms.Jx, np.pi / 2) for t in (0.0, 1.5)]
    model = wf.Model(0.8 * atoms.Jz, [wf.LocalJump(atoms.sz, 0.1)], initial={atoms: wf.down},
                     pulses=pulses)  # fmt: skip
    expected = 50 * np.exp(-0.2 * 1.5) * np.cos(0.8 * 1.5)
    for method in ("exact", "cumulant"):
        out = solve(model, [0.0, 1.0, 1.5], {"z": atoms.Jz}, method)
        assert out.expect["z"][-1] == pytest.approx(expected, rel=1e-6)


def test_squeezed_and_displaced_by_pulses():
    mode = wf.Mode(name="mode")
    r, alpha = 0.5, 1.2
    pulses = [
        wf.pulse(0.0, 0.5j * (mode.a * mode.a - mode.adag * mode.adag), r),
        wf.pulse(0.0, 1j * (mode.adag - mode.a), alpha),
    ]
    q = (mode.a + mode.adag) / 2
    e_ops = {"q": q, "qq": q * q, "n": mode.n}
    model = wf.Model(jumps=[wf.Jump(mode.a, 1.0)], initial={mode: wf.vacuum}, pulses=pulses)
    assert solve(model, [0.0, 1.0], e_ops).expect["q"][0] == pytest.approx(alpha, abs=1e-6)
    for method in ("exact", "cumulant", "twa"):
        out = solve(model, [0.0, 1.0], e_ops, method, ntraj=40_000)
        size = alpha**2 + np.exp(-2 * r) / 4
        squeezed = {"q": alpha, "qq": size, "n": alpha**2 + np.sinh(r) ** 2}
        for k, value in squeezed.items():
            sem = 1e-6 + LIMIT * out.sem[k][0]
            assert out.expect[k][0] == pytest.approx(value, abs=sem), (method, k)


def test_outputs_do_not_change_what_is_between_them():
    """Steps end at pulses, whether there is an output or not."""
    model, e_ops = ensemble(times=(0.0, 0.4, 1.0))
    some = solve(model, [0.0, 1.0], e_ops, "twa", dt=0.02)
    all_of_them = solve(model, [0.0, 0.4, 1.0], e_ops, "twa", dt=0.02)
    assert some.times.tolist() == [0.0, 1.0]
    for k in e_ops:
        np.testing.assert_array_equal(some.expect[k], all_of_them.expect[k][[0, 2]])
        np.testing.assert_array_equal(some.sem[k], all_of_them.sem[k][[0, 2]])


def test_a_run_goes_on_after_a_pulse():
    """The pulse at the end of a run is not done again where another begins."""
    model, e_ops = ensemble(times=(0.0, 0.5, 1.0))
    options = {"keep": "final", "dt": 0.02, "ntraj": 20_000}
    half = solve(model, [0.0, 0.5], e_ops, "twa", **options)
    rest = solve(model, [0.5, 1.0], e_ops, "twa", start=half, dt=0.02, ntraj=20_000, seed=6)
    whole = solve(model, [0.0, 0.5, 1.0], e_ops)
    for k in e_ops:
        error = np.abs(rest.expect[k] - whole.expect[k][1:])
        assert np.all(error < LIMIT * rest.sem[k])


# ---------------------------------------------------------------- forms, estimates, refusals


def test_plain_form_and_files():
    model, _ = ensemble()
    plain = model.to_dict()
    again = wf.Model.from_dict(plain)
    assert again.to_dict() == plain
    assert digest(again.to_dict()) == digest(plain)
    assert digest(ensemble(-1.0)[0].to_dict()) != digest(plain)
    assert "pulses" not in wf.Model(initial={wf.Ensemble(2): wf.up}).to_dict()
    job = read_run(
        {
            "subsystems": [{"kind": "ensemble", "name": "atoms", "N": 10, "initial": "down"}],
            "pulses": [{"time": 0.5, "op": "atoms.Jx", "angle": 3.0}],
            "e_ops": {"z": "atoms.Jz"},
            "run": {"tlist": [0.0, 1.0], "method": "exact"},
        }
    )
    assert job.model.pulses[0].angle == 3.0
    found = solve(job.model, job.tlist, job.e_ops).expect["z"]
    np.testing.assert_allclose(found, [-5, -5 * np.cos(3)], atol=1e-8)
    for text in (model.latex(), model.equations(), model._repr_html_()):
        assert "pulse" in text or "e^{-" in text


def test_results_run_again():
    model, e_ops = ensemble()
    first = solve(model, TIMES, e_ops, "twa", ntraj=200)
    again = first.rerun(progress=False)
    for k in e_ops:
        np.testing.assert_array_equal(first.expect[k], again.expect[k])


def test_truncation_and_estimates_know_them():
    atoms = wf.Ensemble(1000, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 0.01)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.down}, pulses=[wf.pulse(0.0, atoms.Jx, 3.0)])
    estimate = model.estimate([0.0, 1.0], e_ops={"z": atoms.Jz})
    assert 0 < estimate.seconds < 60
    out = solve(model, [0.0, 0.3], {"z": atoms.Jz}, "twa", truncation="full")
    assert np.all(out.truncation["z"] < 5)
    assert out.expect["z"][0] == pytest.approx(-500 * np.cos(3), abs=LIMIT * out.sem["z"][0] + 1e-3)


def test_symmetries_know_them():
    from wignerflow.model.symmetry import symmetries

    spins = wf.Spin(name="spins", count=4)

    def model(weights):
        return wf.Model(
            spins.sz.sum(), initial={spins: wf.down},
            pulses=[wf.pulse(0.0, (np.array(weights) * spins.sx).sum(), 1.0)],
        )  # fmt: skip

    assert [s.kind for s in symmetries(model([1.0, 1, 1, 1]))] == ["permutation"]
    assert [s.kind for s in symmetries(model([1.0, 2, 2, 1]))] == ["mirror"]
    assert symmetries(model([1.0, 2, 3, 4])) == []


def test_refusals():
    atoms, other = wf.Ensemble(10, name="atoms"), wf.Ensemble(2, name="other")
    chain = wf.Ensemble(2, count=3, name="chain")
    for bad, match in [
        ((0.0, chain.Jx, 1.0), "Sum it over its members"),
        ((0.0, atoms.sx, 1.0), "collective"),
        ((0.0, atoms.Jm, 1.0), "Hermitian"),
        ((0.0, wf.coef(np.sin) * atoms.Jx, 1.0), "constant in time"),
        ((np.nan, atoms.Jx, 1.0), "`t`"),
        ((0.0, atoms.Jx, 1j), "`angle`"),
    ]:
        with pytest.raises((ValueError, TypeError), match=match):
            wf.pulse(*bad)

    def model(op=atoms.Jx, t=0.5, **more):
        return wf.Model(initial={atoms: wf.down}, pulses=[wf.pulse(t, op, 1.0)], **more)

    with pytest.raises(ValueError, match=r"pulses\[0\]"):
        model(other.Jx)
    with pytest.raises(TypeError, match="be a list of"):
        wf.Model(initial={atoms: wf.down}, pulses=wf.pulse(0.0, atoms.Jx, 1.0))
    with pytest.raises(TypeError, match=r"pulses\[0\]"):
        wf.Model(initial={atoms: wf.down}, pulses=[atoms.Jx])
    e_ops, t = {"z": atoms.Jz}, [0.0, 1.0]
    with pytest.raises(ValueError, match="not be before"):
        solve(model(t=-1.0), t, e_ops)
    for method in ("twa", "mean-field"):
        with pytest.raises(ValueError, match="nonlinear"):
            solve(model(atoms.Jz * atoms.Jz), t, e_ops, method)
    assert solve(model(atoms.Jz * atoms.Jz), t, e_ops).expect["z"][1] == pytest.approx(-5)
    jump = wf.Jump(atoms.Jm, 1.0)
    for call in [
        lambda: wf.steady_state(model(), e_ops),
        lambda: wf.correlation(model(), atoms.Jp, atoms.Jm, [0.0, 1.0]),
        lambda: wf.photons(model(jumps=[jump]), jump, bins=[0.0, 1.0]),
        lambda: model().compile(tlist=t, e_ops=e_ops),
        lambda: model().to_qutip(),
    ]:
        with pytest.raises(ValueError, match="no pulses"):
            call()
    with pytest.raises(ValueError, match="'cpu'"):
        solve(model(), t, e_ops, "twa", device="cuda")
