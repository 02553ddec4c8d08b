"""The plain form: exact round trips, short spellings, and hostile input."""

from __future__ import annotations

import copy
import json
import textwrap
import tomllib

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import wignerflow as wf
from wignerflow.model import serialize
from wignerflow.model.reading import model_from_dict
from wignerflow.model.reading_values import name_of
from wignerflow.model.serialize import digest, model_to_dict

from ..few import few
from .matrices import Space
from .test_algebra import FAST, SYSTEMS, build, expressions

TIMES = np.linspace(0, 1, 4)


def plain(data):
    """Only what JSON and TOML share: tables with text keys, lists, text, booleans, numbers."""
    if isinstance(data, dict):
        return all(type(k) is str and plain(v) for k, v in data.items())
    if isinstance(data, list):
        return all(map(plain, data))
    return type(data) in (str, int, float, bool)


def check_round_trip(model, times=None):
    data = model.to_dict(times)
    assert plain(data)
    again = wf.Model.from_dict(data)
    assert again.to_dict() == data
    assert json.loads(json.dumps(data)) == data
    assert digest(data) == digest(json.loads(json.dumps(data)))
    return data, again


def initial_of(subs):
    state = {"mode": wf.coherent(0.5 - 1j)}
    return {s: state.get(s.kind, wf.bloch(0.3, 1.0)) for s in subs}


def rotating(t):
    return np.exp(-1j * t)


def rich_model():
    mode = wf.Mode(name="cavity", cutoff=5)
    modes = wf.Mode(name="modes", count=3)
    chain = wf.Ensemble([1, 2, 3], name="the chain.1", count=3)
    spin = wf.Spin(name="spin")
    big = wf.CollectiveSpin(1.5, name="big")
    H, jumps = wf.waveguide(chain, [0.0, 0.3, 1.1], rate_forward=1.0, rate_backward=0.3)
    f, g = wf.coef(rotating), wf.coef([0, 1, 3], [0, 1, 2])
    H = H + f * chain[1].Jp * mode.a + f.conj() * chain[1].Jm * mode.adag
    H = H + 2 * g * (spin.sx + big.Jx**2) + g * g * mode.n
    H = H + (np.array([1, 2, 4j]) * chain.Jp * modes.a).sum()
    H = H + (np.array([1, 2, -4j]) * chain.Jm * modes.adag).sum()
    H = H + wf.couple(chain.Jz, [[1, 2, 0], [2, 0, 3], [0, 3, 1]], chain.Jz)
    H = H + wf.couple(modes.adag, wf.NearestNeighbour(periodic=True), modes.a)
    H = H + wf.couple(modes.n, sp.csr_array(np.eye(3, k=1) + np.eye(3, k=-1)), modes.n)
    collective = (np.exp(0.3j * np.arange(3)) * chain.Jm).sum()
    H = H + collective.dag() * collective
    jumps += [
        wf.Jump(chain.Jm + 0.1j * chain.Jz + 0.2, [[2, 1j, 0], [-1j, 2, 0], [0, 0, 1]]),
        wf.Jump(modes.a, [1.0, 0.0, 2.0]),
        wf.Jump(modes.a, g),
        wf.Jump(chain.Jz * np.arange(3), 0.5),
        wf.Jump(mode.a + collective, 2 * g),
        wf.Jump(0 * chain.Jm, 1.0),
        wf.Jump(0 * spin.sm, 1.0),
        wf.LocalJump(chain.sp, [0.1, 0.2, 0.3]),
        wf.LocalJump(chain[2].sm + 0.5 * chain[2].sz - 1j, g),
    ]
    initial = {
        spin: wf.down,  # not the order in which they were made
        chain: [wf.up, wf.bloch_vector(0, 0.1, -0.2), wf.up],
        big: wf.bloch(1.0),
        modes: [wf.vacuum, wf.fock(2), wf.thermal(0.5)],
        mode: wf.coherent(1j),
    }
    return wf.Model(H, jumps, initial=initial)


# ------------------------------------------------------------------ round trips


def test_rich_model_round_trip():
    data, again = check_round_trip(rich_model(), TIMES)
    assert [s["name"] for s in data["subsystems"]] == [
        "spin",
        "the chain.1",
        "big",
        "modes",
        "cavity",
    ]
    assert list(data["coefficients"]) == ["f1", "f2", "f3", "f4"]
    assert len(again.jumps) == len(rich_model().jumps)
    kinds = {f["couple"]["kind"] for t in data["H"] for f in t["factors"] if "couple" in f}
    assert kinds == {"waveguide", "cascade", "dense", "sparse", "nearest"}


def test_the_form_does_not_depend_on_how_a_model_was_written():
    def one():
        a, b = wf.Ensemble(3, name="a"), wf.Mode(name="b")
        return a, b, 0.5 * (a.Jp * b.a + a.Jm * b.adag) + a.Jz

    def two():
        b, a = wf.Mode(name="b"), wf.Ensemble(3, name="a")
        return a, b, a.Jz + 0.25 * (2 * b.a * a.Jp) + b.adag * (a.Jx - 1j * a.Jy) / 2

    forms = []
    for make in (one, two):
        a, b, H = make()
        jumps = [wf.Jump(b.a, 1), wf.LocalJump(a.sm, 2)]
        forms.append(check_round_trip(wf.Model(H, jumps, initial={a: wf.up, b: wf.vacuum}))[0])
    assert forms[0] == forms[1]
    assert digest(forms[0]) == digest(forms[1])
    forms[1]["jumps"][0]["rate"] = 1.5
    assert digest(forms[0]) != digest(forms[1])


@pytest.mark.parametrize("system", SYSTEMS)
@settings(FAST, max_examples=25)
@given(tree=expressions(), jump=expressions(1))
def test_random_models_round_trip(system, tree, jump):
    subs = system()
    space = Space(*subs, cutoff=6)
    op, *_ = build(tree, subs, space)
    other, *_ = build(jump, subs, space)
    H = op + op.dag()
    model = wf.Model(H, [wf.Jump(other, 0.5)], initial=initial_of(subs))
    try:
        data = model.to_dict()
    except ValueError as error:
        assert "sums per term" in str(error)
        return
    again = wf.Model.from_dict(data)
    assert again.to_dict() == data
    other_space = Space(*again.subsystems, cutoff=6)
    np.testing.assert_allclose(
        other_space.matrix(again.H), space.matrix(H), atol=1e-11 * (1 + H._scale())
    )


def test_callables_are_tabulated_at_the_given_times():
    atoms = wf.Ensemble(2, name="atoms")
    model = wf.Model(
        wf.coef(np.cos) * atoms.Jx, [wf.Jump(atoms.Jm, wf.coef(np.exp))], initial={atoms: wf.up}
    )
    with pytest.raises(ValueError, match=r"`times` must be given to tabulate coef\((cos|exp)\)"):
        model.to_dict()
    data, _ = check_round_trip(model, TIMES)
    assert data["coefficients"]["f1"] == {
        "times": TIMES.tolist(),
        "real": np.cos(TIMES).tolist(),
    } or (data["coefficients"]["f1"]["real"] == np.exp(TIMES).tolist())
    with pytest.raises(ValueError, match="`times` must increase strictly"):
        model.to_dict([1, 0])
    rising = wf.Model(None, [wf.Jump(atoms.Jm, wf.coef(np.sin))], initial={atoms: wf.up})
    with pytest.raises(
        ValueError, match=r"`jumps\[0\].rate` must be real and non-negative.* t = 4"
    ):
        rising.to_dict([0, 4])


def test_operators_too_large_for_the_format_are_refused():
    spin = wf.CollectiveSpin(20, name="S")
    model = wf.Model(spin.Jz**20, initial={spin: wf.up})
    with pytest.raises(ValueError, match="`H` must have at most 12 factors and 4 sums per term"):
        model.to_dict()


def test_large_arrays_are_fast():
    chain = wf.Ensemble(5, name="chain", count=3000)
    S = (np.exp(0.3j * np.arange(3000)) * chain.Jm).sum()
    model = wf.Model(S.dag() * S, [wf.Jump(S, 1.0)], initial={chain: wf.up})
    check_round_trip(model)


# ------------------------------------------------------------------ short spellings


def documented():
    block = serialize.__doc__.split("In TOML::")[1].split("\nCouplings:")[0]
    return tomllib.loads(textwrap.dedent(block))


def test_the_documented_file_is_read():
    data = documented()
    model = model_from_dict(data)
    (atoms,) = model.subsystems
    ramp = wf.coef([0.0, 5.0], [0.0, 1.0])
    H = 0.5 * ramp * atoms[0].Jz * atoms[1].Jz + 2 * atoms.Jz.sum()
    assert model.H == H + wf.couple(atoms.Jp, wf.Waveguide(0.3), atoms.Jm)
    assert model.jumps[0].op == (np.exp(0.3j * np.arange(2)) * atoms.Jm).sum()
    assert model.jumps[1].op == atoms.Jm and model.jumps[1].matrix[0, 1] == 0.2
    assert model.jumps[2].op == atoms.sp and model.jumps[2].rate == 250.0
    check_round_trip(model)


def test_the_smallest_file():
    model = model_from_dict({"subsystems": [{"kind": "spin", "name": "s", "initial": "down"}]})
    assert model.H == 0 and model.jumps == ()
    assert model.initial[model.subsystems[0]] == (wf.down,)


def small(**changes):
    return {
        "subsystems": [
            {"kind": "ensemble", "name": "atoms", "N": 10, "initial": "up"},
            {"kind": "spin", "name": "chain", "count": 3, "initial": ["up", "down", "up"]},
            {"kind": "mode", "name": "mode", "initial": {"fock": 2}},
        ],
        "coefficients": {"ramp": {"times": [0, 1], "real": [0, 1]}},
        "H": [
            {"coef": 2, "factors": ["atoms.Jx"]},
            {"coef": [0, 1], "factors": ["chain[0].sx", "chain[0].sy"], "times": ["ramp"]},
            {"factors": [{"sum": "chain.sz", "weights": {"real": [1, 2, 3]}}, "mode.n"]},
        ],
        "jumps": [
            {"type": "collective", "op": "atoms.Jm", "rate": 1},
            {"type": "array", "op": "chain.sm", "rate": [1, 2, 3]},
            {"type": "local", "on": "atoms", "op": "sm", "rate": "ramp"},
            {"type": "local", "on": "atoms", "op": {"sp": 1, "sz": [0, 2]}, "rate": 1},
        ],
        **changes,
    }


def test_short_spellings():
    model = model_from_dict(small())
    atoms, chain, mode = model.subsystems
    ramp = wf.coef([0, 1], [0, 1])
    H = 2 * atoms.Jx - ramp * chain[0].sz + (np.arange(1, 4) * chain.sz).sum() * mode.n
    assert model.H == H
    assert model.jumps[3].op == atoms.sp + 2j * atoms.sz
    check_round_trip(model)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("vacuum", wf.vacuum), ({"coherent": [1, 2]}, wf.coherent(1 + 2j)),
        ({"coherent": 1}, wf.coherent(1)),
        ({"thermal": 2}, wf.thermal(2)), ({"fock": 0}, wf.fock(0)),
    ],
)  # fmt: skip
def test_states_of_modes(state, expected):
    data = {"subsystems": [{"kind": "mode", "name": "m", "initial": state}]}
    assert next(iter(model_from_dict(data).initial.values())) == (expected,)


@pytest.mark.parametrize("coupling", [
    {"kind": "dense", "real": [[1, 2, 0], [2, 1, 0], [0, 0, 1]]},
    {"kind": "dense", "real": [[0] * 3] * 3, "imag": [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]},
    {"kind": "sparse", "row": [0, 1, 2], "col": [1, 0, 2], "real": [1, 1, 5], "imag": [1, -1, 0]},
    {"kind": "nearest", "periodic": True}, {"kind": "all"}, {"kind": "waveguide", "phi": [0, 1, 3]},
    {"kind": "waveguide", "phi": 0.1, "chirality": 1},
])  # fmt: skip
def test_couplings(coupling):
    H = [{"factors": [{"couple": coupling, "left": ["chain.sp"], "right": "chain.sm"}]}]
    model = model_from_dict(small(H=H))
    assert model.H.is_hermitian() and model.H.terms
    check_round_trip(model)


# ------------------------------------------------------------------ bad input


def change(path, value=None, *, drop=False):
    def apply(data):
        *head, last = path
        for key in head:
            data = data[key]
        if drop:
            del data[last]
        else:
            data[last] = value

    return apply


S, H, J, C = "subsystems", "H", "jumps", "coefficients"
BAD = [
    (change(["jump"], []), r"`model` must have no other keys .*'jump'. Did you mean 'jumps'\?"),
    (change([S], drop=True), "`model` must have the key 'subsystems'"),
    (change([S], []), "`model.subsystems` must list at least one"),
    (change([S], {}), "`model.subsystems` must be a list"),
    (change(["format"], 2), "`model.format` must be 1"),
    (change(["format"], True), "`model.format` must be 1"),
    (change([S, 0, "n"], 3), r"`model.subsystems\[0\]` must have no other keys.*Did you mean 'N'"),
    (change([S, 0, "N"], drop=True), r"`model.subsystems\[0\]` must have the key 'N'"),
    (change([S, 0, "N"], "10"), r"`model.subsystems\[0\].N` must be a number, but was '10'. Expr"),
    (change([S, 0, "N"], "5*2"), "Expressions are not evaluated"),
    (
        change([S, 0, "N"], 0),
        r"In `model.subsystems\[0\]`: Argument `N` must be a positive integer",
    ),
    (change([S, 0, "N"], 1.5), "positive integer, but was 1.5"),
    (change([S, 0, "N"], 10**400), "representable as a double"),
    (change([S, 0, "N"], [1, 2]), r"`model.subsystems\[0\].N` must be a real number"),
    (change([S, 0, "kind"], "Ensemble"), "Did you mean 'ensemble'"),
    (change([S, 0, "kind"], drop=True), "must have the key 'kind'"),
    (change([S, 0, "kind"], ["ensemble"]), "must be the name of a kind of subsystem"),
    (change([S, 0, "name"], "chain"), "must be different from every other name"),
    (change([S, 0, "name"], 7), "`model.subsystems.0..name` must be text"),
    (change([S, 0, "name"], "a[1]"), "free of brackets"),
    (change([S, 0, "initial"], "Up"), "Did you mean 'up'"),
    (change([S, 0, "initial"], ["up"]), "must be one state, as there is no `count`"),
    (change([S, 0, "initial"], {"bloch": [1, 1, 1]}), "length at most 1"),
    (change([S, 0, "initial"], {"bloch": [1, 1]}), r"must be \[x, y, z\]"),
    (change([S, 0, "initial"], {"bloch": [0, 0, float("nan")]}), r"bloch\[2\]` must be finite"),
    (change([S, 0, "initial"], {"bloch": [0, 0, 1], "fock": 1}), "exactly one of the keys"),
    (change([S, 0, "initial"], {"fock": 1}), "must be a spin state"),
    (change([S, 1, "initial"], ["up"]), "must have 3 states, one per member"),
    (change([S, 1, "count"], 10**9), "leave the members of all subsystems"),
    (
        change([S, 1, "count"], -1),
        r"`model.subsystems\[1\].count` must be an integer of at least 1",
    ),
    (change([S, 1, "count"], None), "`model.subsystems.1..count` must be an integer"),
    (change([S, 2, "initial"], {"squeezed": [1]}), r"squeezed` must be \[r, phi\], but was \[1\]"),
    (change([S, 2, "initial"], {"fock": -1}), "must be an integer of at least 0, but was -1"),
    (change([S, 2, "cutoff"], 1), "`model.subsystems.2..cutoff` must be an integer of at least 2"),
    (
        change([H, 0, "factor"], []),
        r"`model.H\[0\]` must have no other keys.*Did you mean 'factors'",
    ),
    (change([H, 0, "factors"], drop=True), "must have the key 'factors'"),
    (change([H, 0, "factors"], "atoms.Jx"), r"`model.H\[0\].factors` must be a list"),
    (change([H, 0, "factors"], [{}]), "'sum' or 'couple', but was a table with no keys"),
    (
        change([H, 0, "factors"], [{"summ": "chain.sz", "phase": 1}]),
        "a table with summ, phase. Did you mean 'sum'",
    ),
    (change([H, 0, "factors"], ["atom.Jx"]), "name a subsystem .*Did you mean 'atoms'"),
    (change([H, 0, "factors"], ["atoms.JX"]), "Did you mean 'Jx'"),
    (change([H, 0, "factors"], ["atoms"]), "name a subsystem and an operator, as in 'atoms.Jm'"),
    (change([H, 0, "factors"], ["atoms[0].Jx"]), "name a member that exists .*a single subsystem"),
    (change([H, 0, "factors"], ["chain[3].sx"]), "an array of 3 members"),
    (change([H, 0, "factors"], ["chain[-1].sx"]), r"must name a subsystem .*'chain\[-1\]'"),
    (change([H, 0, "factors"], ["chain.sx"]), r"one operator, not one per member.*chain\[0\].sx"),
    (change([H, 0, "factors"], ["atoms.sx"]), "collective operator, not one emitter's"),
    (change([H, 0, "factors"], ["2*atoms.Jx"]), "name a subsystem"),
    (change([H, 0, "factors"], [3]), "must be text such as 'atoms.Jm'"),
    (change([H, 0, "factors"], ["atoms.Jx"] * 13), "at most 12 operators and 4 sums"),
    (change([H, 0, "factors"], [{"sum": "chain.sx"}] * 5), "at most 12 operators and 4 sums"),
    (change([H, 0, "factors"], ["atoms.Jx"] * 100), "at most 16 entries"),
    (change([H, 0, "factors"], [{"sums": "chain.sx"}]), "Did you mean 'sum'"),
    (change([H, 0, "factors"], [{"sum": "atoms.Jx"}]), "must be an operator of an array"),
    (change([H, 0, "factors"], [{"sum": "chain[0].sx"}]), "without index"),
    (change([H, 0, "factors"], [{"sum": []}]), "name at least one operator"),
    (change([H, 0, "factors"], [{"sum": "chain.sx", "weights": [1, 2]}]), "must have 3 entries"),
    (change([H, 0, "factors"], [{"sum": "chain.sx", "phase": "pi"}]), "phase` must be a number"),
    (change([H, 0, "coef"], "1j"), r"`model.H\[0\].coef` must be a number"),
    (change([H, 0, "coef"], [1, 2, 3]), "a number or .real part, imaginary part"),
    (change([H, 0, "coef"], float("inf")), "must be finite"),
    (change([H, 0, "coef"], True), "must be a real number, but was True"),
    (change([H, 0, "coef"], 1e200), "must be at most 1e.30 in size"),
    (change([H, 0, "coef"], [1, 1]), "`H` must be Hermitian"),
    (change([H, 0, "times"], ["rampe"]), "name a coefficient .*Did you mean 'ramp'"),
    (change([J, 0], "atoms.Jm"), "must be a table with type, op, rate"),
    (change([J, 0, "type"], "Local"), "Did you mean 'local'"),
    (change([J, 0, "type"], drop=True), "must have the key 'type'"),
    (change([J, 0, "rate"], -1), r"In `model.jumps\[0\]`: Argument `rate` must be non-negative"),
    (change([J, 0, "rate"], "2*pi"), "must name a coefficient .* but was '2.pi'"),
    (change([J, 0, "rate"], [1.0]), "must be one number"),
    (change([J, 0, "rate"], {"real": [[1]]}), "a number or a name, not a matrix"),
    (change([J, 0, "rat"], 1), "Did you mean 'rate'"),
    (change([J, 0, "rate"], drop=True), "must have the key 'rate'"),
    (change([J, 0, "op"], "atoms.sm"), "Such operators stand in jumps of the type 'local' only"),
    (change([J, 1, "rate"], [1, 2]), "must have 3 entries, one per member"),
    (change([J, 1, "rate"], {"real": [[1, 2], [3]]}), "must have 3 rows"),
    (change([J, 1, "rate"], {"real": [[1, 2, 0], [0, 1, 0], [0, 0, 1]]}), "Hermitian matrix"),
    (change([J, 1, "rate"], {"real": [[1, 2, 0], [2, 1, 0], [0, 0, 1]]}), "positive semidefinite"),
    (change([J, 1, "op"], [{"factors": []}]), "or come with `members`"),
    (change([J, 1, "op"], "atoms.Jm"), "must be an operator of an array"),
    (change([J, 1, "members"], 4), "must belong to an array of 4 members"),
    (change([J, 2, "op"], "Sm"), "Did you mean 'sm'"),
    (change([J, 2, "op"], {"Jm": 1}), "must have no other keys"),
    (change([J, 2, "op"], 3), "must be a table"),
    (change([J, 2, "on"], "chain"), "must act on an ensemble"),
    (change([J, 2, "on"], 3), "must be the name of an ensemble"),
    (change([J, 2, "on"], drop=True), "must have the key 'on'"),
    (change([J, 2, "op"], "atoms.sm"), "`model.jumps.2..on` must be omitted where"),
    (change([C, "ramp", "real"], [0]), "as many entries as `times`, 2"),
    (change([C, "ramp", "imag"], [0]), "as many entries as `real`, 2"),
    (
        change([C, "ramp", "times"], [0, 0]),
        "`model.coefficients.ramp.times` must increase strictly",
    ),
    (change([C, "ramp", "real"], [0, "t"]), r"real\[1\]` must be a number, but was 't'"),
    (change([C, "ramp", "real"], [0, float("nan")]), r"real\[1\]` must be finite"),
    (change([C, "ramp", "real"], "sin(t)"), "must be a list"),
    (change([C, "ramp", "real"], [-1, 1]), "real and non-negative"),
    (change([C, "other"], {"times": [0, 1], "real": [0, 1]}), "must be used by a term or a rate"),
    (change([C], []), "`model.coefficients` must be a table"),
    (change([H], "atoms.jx"), "Did you mean 'Jx'"),
    (change([H], {}), "`model.H` must be a list"),
]


@pytest.mark.parametrize(("alter", "message"), BAD, ids=[m[:60] for _, m in BAD])
def test_bad_input(alter, message):
    data = small()
    alter(data)
    with pytest.raises((ValueError, TypeError), match=message):
        model_from_dict(data)


@pytest.mark.parametrize(
    ("coupling", "message"),
    [
        ({"kind": "Waveguide", "phi": 1}, "Did you mean 'waveguide'"),
        ({"kind": "waveguide"}, "must have the key 'phi'"),
        ({"kind": "waveguide", "phi": [1, 2]}, "must have 3 entries"),
        ({"kind": "waveguide", "phi": [1, 2, 0]}, "`phi` must ascend"),
        ({"kind": "waveguide", "phi": 1, "chirality": 2}, "between -1 and 1"),
        ({"kind": "nearest", "periodic": 1}, "must be true or false"),
        ({"kind": "dense", "real": [[1, 2], [1, 2]]}, "must have 3 rows"),
        (
            {"kind": "dense", "real": [[1, 2, 3], [1, 2], [1, 2, 3]]},
            r"real\[1\]` must have 3 entries",
        ),
        (
            {"kind": "sparse", "row": [0], "col": [3], "real": [1]},
            r"col\[0\]` must be an index from 0 to 2,",
        ),
        ({"kind": "sparse", "row": [0], "col": [1, 2], "real": [1]}, "lists of equal length"),
        ({"kind": "sparse", "row": [0.0], "col": [1], "real": [1]}, r"row\[0\]` must be an index"),
        ("all", "must be a table with the key 'kind'"),
        ({}, "must have the key 'kind'"),
    ],
)
def test_bad_couplings(coupling, message):
    H = [{"factors": [{"couple": coupling, "left": ["chain.sp"], "right": "chain.sm"}]}]
    with pytest.raises((ValueError, TypeError), match=message):
        model_from_dict(small(H=H))


def test_of_many_names_some_are_listed():
    names = [f"atoms_{k:02d}" for k in range(13)]
    for count, end in ((12, r"'atoms_11'\)"), (13, r"'atoms_11', …\)")):
        with pytest.raises(ValueError, match="name a subsystem .*" + end):
            name_of("model", "mode", names[:count], "a subsystem")


def test_operators_of_one_emitter_are_no_factors_of_arrays():
    atoms = wf.Ensemble(5, count=2, name="atoms")
    data = wf.Model(jumps=[wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.up}).to_dict()
    (jump,) = data["jumps"]
    for op in ("atoms.sm", [{"factors": ["atoms.sm"]}]):
        with pytest.raises(ValueError, match="be a collective operator, not one emitter's"):
            wf.Model.from_dict(data | {"jumps": [jump | {"op": op}]})


def test_sizes_are_bounded_before_anything_is_built():
    chain = {"kind": "spin", "name": "chain", "count": 2_000_000, "initial": "up"}
    sums = [{"factors": [{"sum": "chain.sx"}] * 4}]
    with pytest.raises(ValueError, match="must belong to a model of bounded size"):
        model_from_dict({"subsystems": [chain], "H": sums})
    with pytest.raises(ValueError, match="must leave the members of all subsystems"):
        model_from_dict({"subsystems": [chain, {**chain, "name": "b"}]})
    with pytest.raises(ValueError, match=r"must have at most \d+ entries"):
        model_from_dict({"subsystems": [chain] * 20_000})


# ------------------------------------------------------------------ fuzz

HOSTILE = [
    None, True, False, 0, 1, -1, 2, 10**9, 10**400, -(10**30), 0.5, -0.0, 1e-320, 1e308, 1e31,
    float("nan"), float("inf"), "", "x", "2*pi", "__import__('os')", "atoms.Jm", "chain.sx", "f1",
    "chain[1].sx", "chain[99999999999].sx", ".", "[0].", "\x00", "ä" * 500, [], [[]], [None],
    [0, 1],
    [1, 2, 3], ["atoms.Jx"] * 12, {}, {"real": []}, {"real": [1], "imag": [1, 2]}, {1: 2},
    {"kind": "all"},
    {"sum": "chain.sx"}, {"bloch": [0, 0, 1]}, b"bytes", 1j, object(), (1, 2), {3}, range(3),
]  # fmt: skip


def paths(data, at=()):
    yield at
    if isinstance(data, dict):
        for key in data:
            yield from paths(data[key], (*at, key))
    elif isinstance(data, list):
        for key in range(len(data)):
            yield from paths(data[key], (*at, key))


def mutate(data, rng):
    data = copy.deepcopy(data)
    for _ in range(rng.integers(1, 4)):
        places = [p for p in paths(data) if p]
        if not places:
            return data
        *head, last = places[rng.integers(len(places))]
        parent = data
        for key in head:
            parent = parent[key]
        action = rng.integers(6)
        value = copy.deepcopy(HOSTILE[rng.integers(len(HOSTILE))])
        if action == 0:
            del parent[last]
        elif action == 1 and isinstance(parent, dict):
            parent[str(last) + "x" if rng.integers(2) else value.__class__.__name__] = parent.pop(
                last
            )
        elif action == 2 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        elif action == 3 and isinstance(parent[last], str) and parent[last]:
            k = rng.integers(len(parent[last]))
            parent[last] = parent[last][:k] + chr(rng.integers(32, 127)) + parent[last][k + 1 :]
        elif action == 4 and isinstance(parent[last], float):
            parent[last] *= float(10.0 ** rng.integers(-300, 300))
        else:
            parent[last] = value
    return data


def survive(data):
    try:
        model = model_from_dict(data)
    except (ValueError, TypeError) as error:
        assert str(error).startswith(("Argument `", "In `model")), repr(error)
        assert len(str(error)) < 2000
        return
    try:
        written = model.to_dict()
    except ValueError as error:
        assert "to be written" in str(error)
        return
    assert model_from_dict(written).to_dict() == written


SOURCES = [small(), documented(), model_to_dict(rich_model(), TIMES)]


@pytest.mark.parametrize("seeds", few([range(300), range(300, 600)]), ids=["some", "more"])
def test_hostile_input(seeds):
    for seed in seeds:
        survive(mutate(SOURCES[seed % 3], np.random.default_rng(seed)))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_hostile_input_at_length(part):
    for seed in range(5000 * part, 5000 * (part + 1)):
        survive(mutate(SOURCES[seed % 3], np.random.default_rng([seed, 1])))


def json_of(text):
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | text,
        lambda x: st.lists(x, max_size=4) | st.dictionaries(text, x, max_size=4),
        max_leaves=12,
    )


#: A table of all characters takes a second to make.
FEW_LETTERS = st.text("aZ0_. []{}\\\"'é∂\n\0", max_size=8)


KEYS = st.sampled_from(["subsystems", "H", "jumps", "coefficients", "format"])


@settings(FAST, max_examples=10)
@given(data=json_of(FEW_LETTERS), key=KEYS)
def test_arbitrary_json(data, key):
    survive(data)
    survive(small(**{key: data}))


@pytest.mark.slow
@settings(FAST, max_examples=200)
@given(data=json_of(st.text(max_size=8)), key=KEYS)
def test_much_arbitrary_json(data, key):
    survive(data)
    survive(small(**{key: data}))
