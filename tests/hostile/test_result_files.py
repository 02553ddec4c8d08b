"""Files from strangers: whatever the bytes, a result or one clear refusal; no crash, no hang.

Whole files are mutated byte by byte and signed anew, as only a forger would, so that the checksum
does not save us.
"""

import copy
import hashlib
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wignerflow as wf
from wignerflow import store
from wignerflow.checkpoint import Found
from wignerflow.model.reading import read_with as read
from wignerflow.result import load_record
from wignerflow.solving.provenance import read_call

from ..run import cases
from .mutants import survive_many, survive_some

READER = r"""
import hashlib, sys, tempfile, warnings
from pathlib import Path
from wignerflow import load, store
from wignerflow.checkpoint import Found

GIB = 3
Refusal = ValueError
warnings.simplefilter("ignore")
path = Path(tempfile.mkdtemp()) / "a.nc"
reader = Found.read if Path(sys.argv[1]).name == "run.nc" else load


def mutate(source, rng):
    data = bytearray(source[: -store._TRAILER])
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        # half of all hits in the first kilobytes, where HDF5 keeps its structure
        k = rng.randrange(min(len(data), 4096)) if rng.random() < 0.5 else rng.randrange(len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[k] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[k] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            data[k : k + 8] = rng.choice((b"\xff" * 8, b"\0" * 8, b"\xff" * 7 + b"\x7f"))
        elif kind == 3:
            at = rng.randrange(len(data))
            data[k : k + 16] = data[at : at + 16]
        elif kind == 4:
            del data[k : k + rng.choice((1, 8, 64))]
        else:
            data[k:k] = bytes(rng.choice((1, 8, 64)))
    data = bytes(data)
    return data + store._MARK + hashlib.sha256(data).hexdigest().encode() + b"\n"


def read(data):
    path.unlink(missing_ok=True)  # writing over a file is slow: it waits for the disk
    path.write_bytes(data)
    return reader(path)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A checkpoint with a derived observable, and a result with a complex one and kept states."""
    folder = tmp_path_factory.mktemp("files")
    options = {"tlist": [0.0, 0.1], "ntraj": 300}
    cases.solve(checkpoint=folder / "run.nc", **options)
    cases.solve("cavity", keep="final", **options).save(folder / "result.nc")
    return [folder / "run.nc", folder / "result.nc"]


@pytest.mark.slow
def test_mutated_bytes(files):
    survive_some(READER, files, 80)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_mutated_bytes_at_length(files, part):
    survive_many(READER, files, part)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "atoms.Jm", "op0", "TWA", "__class__", "single", "pairs", "2*pi"]),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from("abop"), x, max_size=3),
    max_leaves=5,
)


def places(data, at=()):
    """Every path into nested lists and dicts."""
    yield at
    for key in (
        data if isinstance(data, dict) else range(len(data) if isinstance(data, list) else 0)
    ):
        yield from places(data[key], (*at, key))


def call_of(result):
    what = result.provenance
    return {"model": result.model, "e_ops": what["e_ops"], "method": what["engine"]}


@pytest.fixture(scope="module")
def call(files):
    """What a file is run again from."""
    return call_of(wf.load(files[1]))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_mutated_calls(call, data):
    """Provenance is read as strictly as a model file: never evaluated, never trusted."""
    mutated_call(call, data)


@pytest.mark.slow
@settings(max_examples=600, deadline=None, derandomize=True)
@given(data=st.data())
def test_many_mutated_calls(call, data):
    mutated_call(call, data)


def mutated_call(call, data):
    mutant = copy.deepcopy(call)
    *head, last = data.draw(st.sampled_from([p for p in places(mutant) if p]))
    where = mutant
    for key in head:
        where = where[key]
    if data.draw(st.booleans()):
        where[last] = data.draw(JUNK)
    else:
        del where[last]
    try:
        model, e_ops, engine = read_call(mutant)
    except (ValueError, TypeError) as error:
        assert len(str(error)) < 3000
    else:
        assert isinstance(model, wf.Model) and isinstance(e_ops, dict) and engine.name


def test_mutated_entries_of_a_checkpoint(files):
    """Every entry of a checkpoint's record replaced: refused or continued, nothing else."""
    result, record = load_record(files[0])
    entry = record["checkpoint"]
    rng = random.Random(3)
    junk = [None, True, -1, 2**70, 1e308, float("nan"), "", "x", [], {}, [[]], {"": None}, ["a"]]
    outcomes = set()
    for place in [p for p in places(entry) if p] * 3:
        mutant = copy.deepcopy(entry)
        where = mutant
        for key in place[:-1]:
            where = where[key]
        where[place[-1]] = rng.choice(junk)
        try:
            Found(files[0], result, mutant)
        except ValueError as error:
            assert "`checkpoint` must name" in str(error)
            outcomes.add("refused")
        else:
            outcomes.add("read")
    assert outcomes == {"refused", "read"}


def test_pairs_are_read_strictly():
    atoms = wf.Ensemble(10, name="atoms", count=3)
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.up})
    good = {"type": "pairs", "members": 3, "op": "atoms.Jm"}
    left = {"rows": 1, "row": [0], "col": [2], "real": [1.0]}
    _, (op,) = read(model.to_dict(), [{**good, "left": left}])
    assert op.size == 1 and np.array_equal(op.left.toarray(), [[0, 0, 1]])
    for change in ({"rows": 10**9}, {"rows": 0}, {"col": [3]}, {"row": [-1]}, {"real": [1.0, 2.0]},
                   {"real": ["x"]}, {"col": [0.5]}, {"imag": [1.0, 1.0]}, {"more": 1}):  # fmt: skip
        with pytest.raises((ValueError, TypeError), match="Argument `"):
            read(model.to_dict(), [{**good, "left": {**left, **change}}])


def test_the_signature_is_what_stops_an_accident(files):
    data = bytearray(files[1].read_bytes())
    data[len(data) // 2] ^= 1
    with pytest.raises(ValueError, match="its checksum does not fit"):
        store.decode(bytes(data))
    assert hashlib.sha256(data).digest()
