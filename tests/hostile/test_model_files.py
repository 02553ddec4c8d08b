"""Model files from strangers: whatever the bytes, a model or one clear refusal."""

import json
from pathlib import Path

import numpy as np
import pytest

import wignerflow as wf

from .mutants import survive_many, survive_some

LASER = Path(__file__).parents[2] / "examples" / "laser.toml"

READER = r"""
import sys
from pathlib import Path
from wignerflow.runfile import parse, read_run

GIB = 2
Refusal = (ValueError, TypeError)
TOKENS = (
    b"1e308", b"-1", b"1e9", b"nan", b"inf", b"99999999999999999999", b"1e-320", b"0", b"true",
    b"null", b"[", b"[[", b"]]", b"{", b"{}", b'""', b'"', b"=", b"#", b"\n", b"\\u0000", b"\xff",
    b'"atoms.Jm"', b"2*pi", b"__import__('os')",
)


def mutate(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        k, kind = rng.randrange(len(data)), rng.randrange(7)
        if kind == 0:
            data[k] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[k] = rng.randrange(256)
        elif kind == 2:
            data[k:k] = rng.choice(TOKENS)
        elif kind == 3:
            data[k : k + rng.choice((1, 3, 30))] = rng.choice(TOKENS)
        elif kind == 4:
            del data[k : k + rng.choice((1, 2, 20))]
        elif kind == 5:
            at = rng.randrange(len(data))
            data[k:k] = data[at : at + rng.choice((4, 40, 400))]
        else:
            digits = [i for i, c in enumerate(data) if 48 <= c < 58]
            if digits:
                k = rng.choice(digits)
                data[k : k + 1] = str(rng.choice((0, 7, 10**5, 10**9, 10**18, 10**30))).encode()
    return bytes(data)


def read(data):
    return read_run(parse(data, Path(sys.argv[1]).suffix == ".json")).model
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The example, and a model with every kind of subsystem, coupling, rate and state."""
    chain, mode = wf.Ensemble(5, count=3, name="atoms"), wf.Mode(name="b", cutoff=5)
    spin = wf.CollectiveSpin(3, name="q")
    H, jumps = wf.waveguide(chain, 0.4, 1.0)
    H = H + wf.coef([0, 1, 2.0], [0, 1, 2.0]) * mode.n + spin.Jx
    H = H + wf.couple(chain.Jp, np.ones((3, 3)), chain.Jm)
    H = H + wf.couple(chain.Jp, wf.NearestNeighbour(), chain.Jm)
    jumps += [wf.LocalJump(chain.sp, [1.0, 2, 3]), wf.Jump(chain.Jm, np.eye(3) + 0.1)]
    states = {chain: [wf.down, wf.up, wf.bloch(0.3, 0.2)], mode: wf.coherent(1j), spin: wf.up}
    model = wf.Model(H, [*jumps, wf.Jump(mode.a, 1.0)], initial=states)
    run = {"tlist": {"start": 0, "stop": 1, "points": 3}, "target_sem": {"z": 0.1}}
    run["method"] = {"name": "twa", "form": "bloch"}
    ratio = {"derived": "Ratio", "of": ["b.n", "q.Jz"]}
    data = model.to_dict() | {"e_ops": {"z": {"each": "atoms.Jz"}, "r": ratio}, "run": run}
    path = tmp_path_factory.mktemp("models") / "model.json"
    path.write_text(json.dumps(data))
    return [LASER, path]


@pytest.mark.slow
def test_mutated_bytes(files):
    survive_some(READER, files, 150)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_mutated_bytes_at_length(files, part):
    survive_many(READER, files, part)
