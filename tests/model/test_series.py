"""Links without delay: rows of ports become one, by topology; loops are refused."""

import itertools

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.model import links as series

TIMES = np.linspace(0, 3, 7)


def modes(M=3):
    array = wf.Mode(name="modes", count=M)
    amplitudes = [1.0, 0.5j, -0.3, 0.8][:M]
    return array, {array: [wf.coherent(a) for a in amplitudes]}, np.array(amplitudes)


def amplitudes(model, array, method="mean-field"):
    e_ops = {"a": array.a}
    return wf.solve(model, TIMES, e_ops=e_ops, method=method).expect["a"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_row_of_links_is_the_one_way_waveguide(order):
    """Whatever the order in which jumps and links are given."""
    array, initial, start = modes(4)
    ports = [wf.Jump(array[m].a, r) for m, r in enumerate([1.0, 0.5, 2.0, 0.7])]
    links = [wf.Link(ports[m], ports[m + 1], 0, phase=0.3 + m) for m in range(3)]
    model = wf.Model(jumps=ports, links=[links[k] for k in order], initial=initial)
    assert not model.links and model.delayed is None
    # a_m' = -r_m a_m/2 - sqrt(r_m) (what has left the modes before)
    roots, turn = np.sqrt([1.0, 0.5, 2.0, 0.7]), np.exp(1j * (0.3 + np.arange(3)))
    A = np.diag(-(roots**2) / 2).astype(complex)
    for m, k in itertools.combinations(range(4), 2):
        A[k, m] = -roots[m] * roots[k] * np.prod(turn[m:k])
    values, vectors = np.linalg.eig(A)
    known = [vectors @ (np.exp(values * t) * np.linalg.solve(vectors, start)) for t in TIMES]
    np.testing.assert_allclose(amplitudes(model, array), known, atol=2e-5)
    turned = [wf.Link(ports[m + 1], ports[m], 0, phase=0.3 + m) for m in range(3)]
    wrong = wf.Model(jumps=ports, links=turned, initial=initial)
    assert np.abs(amplitudes(wrong, array) - known).max() > 0.1


def test_both_directions_make_the_waveguide(monkeypatch):
    """Light that goes down meets the members in the other order."""
    atoms = wf.Ensemble(3, name="atoms", count=3)
    initial = {atoms: [wf.up, wf.down, wf.bloch(1.0, 0.4)]}
    up = [wf.Jump(atoms[m].Jm, 0.4) for m in range(3)]
    down = [wf.Jump(atoms[m].Jm, 0.7) for m in range(3)]
    phases = [0.3, 0.5]
    links = [wf.Link(up[m], up[m + 1], 0, phases[m]) for m in range(2)]
    links += [wf.Link(down[m + 1], down[m], 0, phases[m]) for m in range(2)]
    one = wf.Model(jumps=[*up, *down], links=links, initial=initial)
    line = wf.Line(atoms, delays=0.0, rate_up=0.4, rate_down=0.7, phases=phases)
    two = wf.Model(jumps=line.jumps, links=line.links, initial=initial)
    F, B = line.outputs
    e_ops = {"z": atoms.Jz, "n": (atoms.Jp.sum() * atoms.Jm.sum())}
    known = wf.solve(
        two, [0, 0.3], e_ops=e_ops | {"F": wf.Flux(F), "B": wf.Flux(B)}, method="cumulant"
    )
    ends = {"F": wf.Flux(down[0]), "B": wf.Flux(up[2])}
    found = wf.solve(one, [0, 0.3], e_ops=e_ops | ends, method="cumulant")
    for name in found.expect:
        np.testing.assert_allclose(found.expect[name], known.expect[name], atol=1e-6)
    turned = [wf.Link(up[m + 1], up[m], 0, phases[m]) for m in range(2)] + links[2:]
    wrong = wf.Model(jumps=[*up, *down], links=turned, initial=initial)
    other = wf.solve(wrong, [0, 0.3], e_ops=e_ops, method="cumulant")
    assert np.abs(other.expect["z"] - known.expect["z"]).max() > 0.02
    # a plain loop over ports, in which light that goes down meets members before it has left others
    follow = series._join_row

    def plain(out, first, row):
        follow(out, first, sorted(row, key=lambda link: [*up, *down].index(link.source_key[0])))

    monkeypatch.setattr(series, "_join_row", plain)
    looped = wf.Model(jumps=[*up, *down], links=links, initial=initial)
    other = wf.solve(looped, [0, 0.3], e_ops=e_ops, method="cumulant")
    assert np.abs(other.expect["z"] - known.expect["z"]).max() > 0.02


def test_members_of_arrays_and_lines_with_some_delays():
    atoms = wf.Ensemble(4, name="atoms", count=3)
    line = wf.Line(atoms, delays=[0.0, 0.2], rate_up=0.4, rate_down=0.7, phases=0.3)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={atoms: wf.up})
    assert [link.delay for link in model.links] == [0.2, 0.2]
    pair = wf.Jump(np.exp(0.3j) * 0.4**0.5 * atoms[0].Jm + 0.4**0.5 * atoms[1].Jm, 1.0)
    assert any(isinstance(j.op, wf.model.op.Op) and j.op == pair.op for j in model.given)
    again = wf.Model.from_dict(model.to_dict())
    assert again.to_dict() == model.to_dict() and again.links[0].delay == 0.2
    with pytest.raises(ValueError, match="enters another one without delay"):
        wf.photons(model, wf.Output(line.jumps[0], 0), bins=[0, 1])


def test_losses_on_the_way():
    array, initial, start = modes(2)
    a, b = wf.Jump(array[0].a, 1.0), wf.Jump(array[1].a, 1.0)
    link = wf.Link(a, b, 0, phase=0.4, transmission=0.6)
    model = wf.Model(jumps=[a, b], links=[link], initial=initial)
    assert len(model.jumps) == 2
    c = np.sqrt(0.6) * np.exp(0.4j)
    known = np.exp(-TIMES / 2) * np.array([[start[0]], [start[1]]])
    known[1] -= c * TIMES * np.exp(-TIMES / 2) * start[0]
    np.testing.assert_allclose(amplitudes(model, array), known.T, atol=2e-5)
    n = {"n": array.n.sum(), "out": wf.Flux(b)}
    out = wf.solve(model, TIMES, e_ops=n, method="cumulant").expect
    field = known[1] + c * known[0]
    np.testing.assert_allclose(out["n"], (np.abs(known) ** 2).sum(axis=0), atol=1e-6)
    np.testing.assert_allclose(out["out"], np.abs(field) ** 2, atol=1e-6)
    c_ = wf.Jump(array[1].a, 0.5)
    late = wf.Link(c_, a, 0.5)
    with pytest.raises(ValueError, match="a link without delay loses light"):
        wf.Model(jumps=[a, b, c_], links=[link, late], initial=initial)


def test_light_that_enters_the_first_port_passes_all():
    array, _, _ = modes(2)
    a = wf.Jump(array[0].a, 1.0, input=wf.coherent(0.8))
    b = wf.Jump(array[1].a, 2.0)
    for power in (1.0, 0.5):
        link = wf.Link(a, b, 0, phase=0.4, transmission=power)
        model = wf.Model(jumps=[a, b], links=[link], initial={array: wf.vacuum})
        end = wf.solve(model, [0, 60], e_ops={"out": wf.Flux(b), "a": array.a}, method="cumulant")
        # a cavity on resonance turns the sign of what it reflects
        assert end.expect["out"][1] == pytest.approx(power * 0.64, rel=1e-5)
        field = -0.8 * 2
        np.testing.assert_allclose(
            end.expect["a"][1], [field, 0.8 * np.sqrt(power) * np.exp(0.4j) * 2**0.5], rtol=1e-5
        )


def test_loops_without_delay_are_refused():
    array, initial, _ = modes(3)
    ports = [wf.Jump(array[m].a, 1.0) for m in range(3)]
    ring = [wf.Link(ports[m], ports[(m + 1) % 3], 0) for m in range(3)]
    for links, number in ((ring, 3), ([wf.Link(ports[0], ports[0], 0)], 1)):
        with pytest.raises(ValueError, match=f"no loop without delay, but was {number} links"):
            wf.Model(jumps=ports, links=links, initial=initial)
    ring[1] = wf.Link(ports[1], ports[2], 0.5)
    model = wf.Model(jumps=ports, links=ring, initial=initial)
    (link,) = model.links
    assert link.source_key == link.target_key
