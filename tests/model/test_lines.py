"""Lines and links at the level of models: without delays the waveguide; what is refused."""

import numpy as np
import pytest

import wignerflow as wf


def chain(**kw):
    atoms = wf.Ensemble(3, name="atoms", count=3)
    return atoms, wf.Line(atoms, **kw)


def test_without_delays_a_line_is_the_waveguide():
    """Phases included: outputs are those of the waveguide's jumps, and exact methods treat it."""
    phases = [0.3, 0.5]
    atoms, line = chain(delays=0.0, rate_up=0.4, rate_down=0.7, phases=phases)
    H, (forward, backward) = wf.waveguide(
        atoms, np.array([0, 0.3, 0.8]), rate_forward=0.7, rate_backward=0.4
    )
    initial = {atoms: [wf.up, wf.down, wf.bloch(1.0, 0.4)]}
    one = wf.Model(jumps=line.jumps, links=line.links, initial=initial)
    two = wf.Model(H, [forward, backward], initial=initial)
    assert one.H == two.H and not one.links
    assert one.to_dict() == two.to_dict()
    F, B = line.outputs
    out = wf.solve(one, [0, 1], e_ops={"F": wf.Flux(F), "B": wf.Flux(B)}, method="cumulant").expect
    ops = {"F": wf.Flux(forward), "B": wf.Flux(backward)}
    known = wf.solve(two, [0, 1], e_ops=ops, method="cumulant").expect
    for name in ops:
        np.testing.assert_allclose(out[name], known[name], rtol=1e-12)
    assert abs(out["F"][1] - out["B"][1]) > 0.01


def test_positions_give_delays_and_a_line_without_delays():
    atoms, line = chain(positions=[0, 1.0, 3.0], velocity=2.0, rate=1.0, phases=0.2)
    np.testing.assert_allclose(line.delays, [0.5, 1.0])
    assert len(line.links) == 4
    H, jumps = line.at_zero_delay()
    known = wf.waveguide(atoms, 0.2, 1.0)[0]
    assert (H - known).is_zero() and len(jumps) == 2
    F, B = line.outputs
    assert [*F.terms.values()] == [1]
    assert next(iter(B.terms.values())) == pytest.approx(np.exp(-0.4j))


@pytest.mark.parametrize("method", ["exact", "jumps", "cumulant", "generalized-p", "schwinger-w"])
def test_methods_of_master_equations_refuse_delays(method):
    spins = wf.CollectiveSpin(2, name="spins", count=2)
    line = wf.Line(spins, delays=0.1, rate=1.0)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={spins: wf.down})
    with pytest.raises(ValueError, match="at_zero_delay"):
        wf.solve(model, [0, 1], e_ops={"z": spins.Jz}, method=method)


def test_what_links_cannot_be():
    atoms, modes = wf.Ensemble(3, name="atoms", count=3), wf.Mode(name="modes", count=2)
    a, b = wf.Jump(modes[0].a, 1.0), wf.Jump(modes[1].a, 1.0)
    cases = [
        (lambda: wf.Link(a, b, -1.0), "`delay` must be non-negative"),
        (lambda: wf.Link(a, b, 1.0, transmission=1.1), "`transmission` must be from 0 to 1"),
        (lambda: wf.Link(0.5 * wf.Output(a), b, 1.0), "without a factor"),
        (lambda: wf.Link(a, wf.Jump(modes[1].a, 1.0, input=wf.thermal(1.0)), 1.0), "no input"),
        (lambda: wf.Line(atoms, positions=[0, 2, 1], velocity=1.0, rate=1.0), "ascend"),
        (lambda: wf.Line(atoms, positions=[0, 1, 2], velocity=-1.0, rate=1.0), "velocity"),
        (lambda: wf.Line(atoms, positions=[0, 1, 2], rate=1.0), "velocity"),
        (lambda: wf.Line(atoms, delays=[0.1], rate=1.0), "have shape"),
        (lambda: wf.Line(atoms, rate=1.0), "`delays` must be given, or `positions`"),
        (lambda: wf.Line(atoms, delays=0.1, positions=[0, 1, 2], rate=1.0), "`delays` must be"),
        (lambda: wf.Line(atoms, delays=-0.1, rate=1.0), "non-negative"),
        (lambda: wf.Line(atoms, delays=0.1, rate=1.0, phases=[1, 2, 3]), "phases"),
        (lambda: wf.Line(atoms, delays=0.1, rate_up=1.0), "rate"),
        (lambda: wf.Mirror("start", delay=0.0), "delay"),
        (lambda: wf.Mirror("start", delay=1.0, reflectivity=2.0), "ratio of powers"),
    ]
    for make, message in cases:
        with pytest.raises(ValueError, match=message):
            make()
    initial = {modes: wf.vacuum}
    with pytest.raises(ValueError, match="one link that begins there"):
        wf.Model(jumps=[a, b], initial=initial, links=[wf.Link(a, b, 1.0), wf.Link(a, a, 1.0)])
    with pytest.raises(ValueError, match="connect jumps of the model"):
        wf.Model(jumps=[a], initial=initial, links=[wf.Link(a, b, 1.0)])
    with pytest.raises(TypeError, match=r"be a wf.Link"):
        wf.Model(jumps=[a], initial=initial, links=[a])
    model = wf.Model(jumps=[a, b], initial=initial, links=[wf.Link(a, b, 0.1)])
    with pytest.raises(ValueError, match='scheme="splitting"'):
        wf.solve(model, [0, 1], e_ops={"n": modes.n}, method=wf.TWA(scheme="small-noise"))
    with pytest.raises(ValueError, match="be 'cpu'"):
        wf.solve(model, [0, 1], e_ops={"n": modes.n}, device="cuda")


def test_steps_are_no_longer_than_a_delay():
    """A step longer than a delay is lowered; delays that are no multiple take two thirds."""
    modes = wf.Mode(name="modes", count=2)
    a, b = wf.Jump(modes[0].a, 1.0), wf.Jump(modes[1].a, 1.0)
    for delay, dt in ((0.25, 0.25), (0.3, 0.2), (1 / np.pi, 0.2)):
        model = wf.Model(
            jumps=[a, b], initial={modes: wf.coherent(1.0)}, links=[wf.Link(a, b, delay)]
        )
        out = wf.solve(
            model, [0, 1, 2], e_ops={"n": modes.n}, method="mean-field", dt=0.5, progress=False
        )
        assert out.dt == pytest.approx(dt)
        assert out.stats["step_choice"].startswith("lowered from 0.5; ")


def test_outputs_that_are_unevenly_spaced_are_interpolated():
    modes = wf.Mode(name="modes", count=2)
    a, b = wf.Jump(modes[0].a, 1.0), wf.Jump(modes[1].a, 2.0)
    model = wf.Model(
        0.2 * (modes[0].a + modes[0].adag), jumps=[a, b], links=[wf.Link(a, b, 0.5, phase=0.3)],
        initial={modes: wf.coherent(1.0)},
    )  # fmt: skip
    options = {"e_ops": {"a": modes.a}, "method": "mean-field", "progress": False}
    times = np.array([0, 0.1, 0.73, 1.9, 2.0])
    found = wf.solve(model, times, dt=1 / 64, **options)
    assert found.dt == pytest.approx(1 / 64)
    even = wf.solve(model, np.linspace(0, 2, 201), dt=1 / 200, **options)
    at = np.rint(100 * times).astype(int)
    np.testing.assert_allclose(found.expect["a"], even.expect["a"][at], atol=1e-4)
    noisy = wf.solve(model, times, e_ops={"n": modes.n}, ntraj=256, seed=1, progress=False)
    known = np.abs(even.expect["a"][at]) ** 2
    assert (np.abs(noisy.expect["n"] - known) < 4.5 * noisy.sem["n"] + 1e-3).all()


def test_what_treats_no_delays_says_so():
    """Guided sampling and controls take plain trajectories, a certificate is refused."""
    times = np.linspace(0, 0.2, 3)

    def model(N):
        atoms = wf.Ensemble(N, name="atoms", count=2)
        line = wf.Line(atoms, delays=0.1, rate=1.0 / N)
        given = wf.Model(jumps=line.jumps, links=line.links, initial={atoms: wf.up})
        return given, {"z": atoms.Jz.sum()}

    late, e_ops = model(8)
    kw = {"e_ops": e_ops, "ntraj": 256, "seed": 1, "dt": 0.05, "progress": False}
    plain = wf.solve(late, times, **kw)
    why = "took plain trajectories: links carry noise of earlier steps."
    for option, name in (
        ({"variance": "guided"}, "variance='guided'"),
        ({"variance": "auto"}, "variance='auto'"),
        ({"controls": True}, "controls=True"),
    ):
        out = wf.solve(late, times, **kw, **option)
        assert f"{name} {why}" in out.stats["notes"]
        np.testing.assert_array_equal(out.expect["z"], plain.expect["z"])
    with pytest.raises(ValueError, match=r"no links with delays.*no exact solution"):
        wf.certify(model, times, N=8, ntraj=64, progress=False)
