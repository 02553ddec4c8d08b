"""Reading a model from its plain form, strictly: every message names the place in the file.

Nothing is evaluated and nothing large is built before its size has been checked. The format is
described in ``serialize``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .. import _check
from . import states
from .arrays import ArrayOp, couple
from .coefficients import Coef
from .couplings import AllToAll, Cascade, Coupling, NearestNeighbour, Waveguide
from .factors import Key
from .limits import (
    FORMAT,
    MAX_JUMPS,
    MAX_LETTERS,
    MAX_MEMBERS,
    MAX_SIZE,
    MAX_SUBSYSTEMS,
    MAX_SUMS,
    MAX_TERMS,
    MAX_WORK,
)
from .local import LocalOp
from .model import Jump, LocalJump, Model
from .op import Op
from .states import State
from .subsystems import KINDS, Ensemble, Subsystem

ROOT = "model"


# ---------------------------------------------------------------- tables, lists, numbers


def _nearest(name: Any, names: Iterable[str]) -> str:
    text, names = str(name)[:80], list(names)[:10_000]
    near = [n for n in names if n.lower() == text.lower()]
    near += difflib.get_close_matches(text, names, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else ""


def table(
    where: str, data: Any, required: Iterable[str], optional: Iterable[str] = ()
) -> Mapping[str, Any]:
    """A table that has the required keys and no others than the optional ones."""
    required, optional = list(required), list(optional)
    known = required + optional
    if not isinstance(data, Mapping):
        keys = ", ".join(known)
        _check.fail(where, f"be a table with the keys {keys}", data, kind=TypeError)
    for key in data:
        if key not in known:
            listed = ", ".join(known)
            _check.fail(where, f"have no other keys than {listed}", key, _nearest(key, known))
    for key in required:
        if key not in data:
            _missing(where, key, data, [k for k in data if k not in required])
    return data


def _missing(where: str, key: str, data: Mapping[str, Any], spare: list[str]) -> NoReturn:
    near = difflib.get_close_matches(key, [str(k)[:80] for k in spare], n=1)
    hint = f"Did you mean {key!r} where it says {near[0]!r}?" if near else ""
    have = ", ".join(map(str, data)) or "no keys"
    _check.fail(where, f"have the key {key!r}", _check.Note(f"a table with {have}"), hint)


def sequence(where: str, data: Any, limit: int) -> list[Any]:
    """A list of at most ``limit`` entries."""
    if not isinstance(data, (list, tuple)):
        _check.fail(where, "be a list", data, kind=TypeError)
    if len(data) > limit:
        _check.fail(where, f"have at most {limit} entries", _check.Note(f"a list of {len(data)}"))
    return list(data)


def real(where: str, data: Any) -> float:
    """A finite number."""
    if isinstance(data, str):
        _check.fail(where, "be a number", data, "Expressions are not evaluated.", TypeError)
    out = _check.real(where, data)
    if abs(out) > MAX_SIZE:
        _check.fail(where, f"be at most {MAX_SIZE:g} in size", data)
    return out


def reals(where: str, data: Any, size: int | None = None) -> NDArray[np.float64]:
    """A list of finite numbers, shape (size,)."""
    values = sequence(where, data, 2**40)
    if size is not None and len(values) != size:
        _check.fail(
            where, f"have {size} entries, one per member", _check.Note(f"a list of {len(values)}")
        )
    if not {type(v) for v in values} <= {int, float}:
        return np.array([real(f"{where}[{k}]", v) for k, v in enumerate(values)], float)
    try:
        out = np.array(values, float)
    except OverflowError:
        out = np.array([np.inf])
    if not np.all(np.abs(out) <= MAX_SIZE):
        return np.array([real(f"{where}[{k}]", v) for k, v in enumerate(values)], float)
    return out


def rows(where: str, data: Any, size: int) -> NDArray[np.float64]:
    """A square matrix as a list of rows, shape (size, size)."""
    values = sequence(where, data, 2**40)
    if len(values) != size:
        _check.fail(where, f"have {size} rows, one per member", _check.Note(f"{len(values)} rows"))
    return np.array([reals(f"{where}[{k}]", row, size) for k, row in enumerate(values)])


def scalar(where: str, data: Any) -> complex:
    """A number, or [re, im]."""
    if isinstance(data, (list, tuple)):
        if len(data) != 2:
            _check.fail(where, "be a number or [real part, imaginary part]", data)
        return complex(real(f"{where}[0]", data[0]), real(f"{where}[1]", data[1]))
    return complex(real(where, data))


def name_of(where: str, data: Any, names: Iterable[str], what: str) -> str:
    """One of the given names."""
    if not isinstance(data, str):
        _check.fail(where, f"be the name of {what}", data, kind=TypeError)
    names = list(names)
    if data not in names:
        listed = ", ".join(map(repr, names[:12])) + (", …" if len(names) > 12 else "")
        _check.fail(
            where, f"name {what} ({listed or 'there is none'})", data, _nearest(data, names)
        )
    return data


# ---------------------------------------------------------------- model


def model_from_dict(data: Any) -> Model:
    """The model of a plain form, canonical or spelt shorter (see ``serialize``).

    Raises:
        ValueError, TypeError: a key is unknown or missing, or a value has the wrong type, shape or
            size; the place, the requirement and the value are named.
    """
    return read_model(data)[0]


def read_model(data: Any) -> tuple[Model, _Reader]:
    """The model of a plain form, and the reader that knows its subsystems (for observables)."""
    top = table(ROOT, data, ["subsystems"], ["format", "coefficients", "H", "jumps"])
    if top.get("format", FORMAT) != FORMAT or isinstance(top.get("format"), (bool, float)):
        _check.fail(f"{ROOT}.format", f"be {FORMAT}, the version this library reads", top["format"])
    reader = _Reader(top)
    H = reader.op(f"{ROOT}.H", top.get("H", []))
    entries = sequence(f"{ROOT}.jumps", top.get("jumps", []), MAX_JUMPS)
    jumps = [reader.jump(f"{ROOT}.jumps[{k}]", entry) for k, entry in enumerate(entries)]
    unused = set(reader.coefs) - reader.used
    if unused:
        name = min(unused)
        _check.fail(f"{ROOT}.coefficients", "be used by a term or a rate", name)
    return Model(H, jumps, initial=reader.initial), reader


def read_coef(where: str, data: Any) -> Coef:
    """A coefficient from its samples."""
    entry = table(where, data, ["times", "real"], ["imag"])
    times = _check.tlist(reals(f"{where}.times", entry["times"]), f"{where}.times")
    values = reals(f"{where}.real", entry["real"]).astype(complex)
    if "imag" in entry:
        imag = reals(f"{where}.imag", entry["imag"])
        if imag.shape != values.shape:
            must = f"have as many entries as `real`, {values.size}"
            _check.fail(f"{where}.imag", must, _check.Note(f"a list of {imag.size}"))
        values = values + 1j * imag
    if values.shape != times.shape:
        must = f"have as many entries as `times`, {times.size}"
        _check.fail(f"{where}.real", must, _check.Note(f"a list of {values.size}"))
    return Coef(values, times)


_NAMED_STATES: dict[str, State] = {"up": states.up, "down": states.down, "vacuum": states.vacuum}
_STATE_KEYS = ("bloch", "angles", "coherent", "fock", "thermal")


def read_state(where: str, data: Any) -> State:
    """A state from its plain form or its name."""
    if isinstance(data, str):
        return _NAMED_STATES[name_of(where, data, _NAMED_STATES, "a state, or be a table")]
    entry = table(where, data, [], _STATE_KEYS)
    if len(entry) != 1:
        _check.fail(where, "have exactly one of the keys " + ", ".join(_STATE_KEYS), data)
    ((kind, value),) = entry.items()
    place = f"{where}.{kind}"
    if kind in ("bloch", "angles"):
        numbers = sequence(place, value, 3)
        if len(numbers) != (3 if kind == "bloch" else 2):
            _check.fail(place, "be [x, y, z]" if kind == "bloch" else "be [theta, phi]", value)
        vector = [real(f"{place}[{k}]", x) for k, x in enumerate(numbers)]
        with _naming(place):
            return states.bloch_vector(*vector) if kind == "bloch" else states.bloch(*vector)
    with _naming(place):
        if kind == "coherent":
            return states.coherent(scalar(place, value))
        if kind == "fock":
            return states.fock(_check.integer(place, value, 0))
        return states.thermal(real(place, value))


class _naming:
    """Says where in the file an error of the library's own constructors arose."""

    def __init__(self, where: str):
        self.where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, (ValueError, TypeError)) and f"`{ROOT}." not in str(error):
            raise type(error)(f"In `{self.where}`: {error}") from None


_PARAMETERS = {"ensemble": ["N"], "collective": ["S"], "spin": [], "mode": []}
_OPTIONS: dict[str, list[str]] = {"mode": ["cutoff"]}


class _Reader:
    """Reads operators and jumps against the subsystems and coefficients of one model."""

    def __init__(self, top: Mapping[str, Any]):
        self.work = 0
        self.members = 0
        self.initial: dict[Subsystem, Any] = {}
        self.by_name: dict[str, Subsystem] = {}
        where = f"{ROOT}.subsystems"
        entries = sequence(where, top["subsystems"], MAX_SUBSYSTEMS)
        if not entries:
            _check.fail(where, "list at least one subsystem", entries)
        for k, entry in enumerate(entries):
            self.subsystem(f"{where}[{k}]", entry)
        self.coefs: dict[str, Coef] = {}
        self.used: set[str] = set()
        place = f"{ROOT}.coefficients"
        coefficients = top.get("coefficients", {})
        if not isinstance(coefficients, Mapping):
            _check.fail(place, "be a table of named coefficients", coefficients, kind=TypeError)
        for name, entry in coefficients.items():
            if not isinstance(name, str):
                _check.fail(place, "have names as keys", name, kind=TypeError)
            self.coefs[name] = read_coef(f"{place}.{name}", entry)

    # -- subsystems --------------------------------------------------------------------------------

    def subsystem(self, where: str, data: Any) -> None:
        """One entry of ``subsystems``, with its initial state."""
        if not isinstance(data, Mapping):
            _check.fail(where, "be a table with kind, name, initial", data, kind=TypeError)
        if "kind" not in data:
            _missing(where, "kind", data, list(data))
        kind = name_of(f"{where}.kind", data["kind"], KINDS, "a kind of subsystem")
        required = ["kind", "name", *_PARAMETERS[kind], "initial"]
        entry = table(where, data, required, ["count", *_OPTIONS.get(kind, [])])
        name = entry["name"]
        if not isinstance(name, str):
            _check.fail(f"{where}.name", "be text", name, kind=TypeError)
        if name in self.by_name:
            _check.fail(f"{where}.name", "be different from every other name", name)
        count = entry.get("count")
        if "count" in entry:
            count = _check.integer(f"{where}.count", count, 1)
        self.members += 1 if count is None else count
        if self.members > MAX_MEMBERS:
            must = f"leave the members of all subsystems at {MAX_MEMBERS} at most"
            _check.fail(f"{where}.count", must, count)
        arguments: dict[str, Any] = {}
        for key in _PARAMETERS[kind]:
            place, value = f"{where}.{key}", entry[key]
            if isinstance(value, (list, tuple)) and count is not None:
                arguments[key] = reals(place, value, count)
            else:
                arguments[key] = real(place, value)
        if "cutoff" in entry:
            arguments["cutoff"] = _check.integer(f"{where}.cutoff", entry["cutoff"], 2)
        with _naming(where):
            sub = KINDS[kind](**arguments, name=name, count=count)
        self.by_name[name] = sub
        self.initial[sub] = self.state(f"{where}.initial", entry["initial"], sub)

    def state(self, where: str, data: Any, sub: Subsystem) -> Any:
        """One state, or a list of one per member."""
        if not isinstance(data, (list, tuple)):
            return read_state(where, data)
        if sub.count is None:
            _check.fail(where, "be one state, as there is no `count`", data)
        if len(data) != sub.size:
            _check.fail(
                where,
                f"have {sub.size} states, one per member",
                _check.Note(f"a list of {len(data)}"),
            )
        return [read_state(f"{where}[{m}]", entry) for m, entry in enumerate(data)]

    def owner(self, where: str, text: str) -> tuple[Subsystem, int | None]:
        """The subsystem (and the member) that a text such as ``chain[3]`` names."""
        match = re.fullmatch(r"(.*)\[(\d{1,9})\]", text, re.DOTALL)
        name, index = (match[1], int(match[2])) if match else (text, None)
        sub = self.by_name[name_of(where, name, self.by_name, "a subsystem")]
        if index is not None and (sub.count is None or index >= sub.count):
            have = "a single subsystem" if sub.count is None else f"an array of {sub.count} members"
            _check.fail(where, f"name a member that exists ({name!r} is {have})", text)
        return sub, index

    def named(self, where: str, data: Any) -> tuple[Subsystem, int | None, str]:
        """The subsystem, member and operator that a text such as ``chain[3].Jz`` names."""
        if not isinstance(data, str):
            must = "be text such as 'atoms.Jm', or a table with `sum` or `couple`"
            _check.fail(where, must, data, kind=TypeError)
        owner, dot, name = data.rpartition(".")
        if not dot:
            _check.fail(where, "name a subsystem and an operator, as in 'atoms.Jm'", data)
        sub, index = self.owner(where, owner)
        known = [*type(sub).letters, *type(sub).one_emitter]
        return sub, index, name_of(where, name, known, f"an operator of {owner!r}")

    # -- operators ---------------------------------------------------------------------------------

    def site(self, where: str, data: Any) -> Op:
        """A named operator of one subsystem or member."""
        sub, index, name = self.named(where, data)
        if name not in type(sub).letters:
            hint = "Such operators stand in jumps of the type 'local' only."
            _check.fail(where, "be a collective operator, not one emitter's", data, hint)
        if sub.count is not None and index is None:
            hint = (
                f"Index one member ('{sub.name}[0].{name}') or sum over all: {{sum = ['{data}']}}."
            )
            _check.fail(where, "be one operator, not one per member", data, hint)
        op = getattr(sub if index is None else sub[index], name)
        assert isinstance(op, Op)
        return op

    def array(self, where: str, data: Any) -> ArrayOp:
        """A product of operators of arrays, member by member."""
        names = [data] if isinstance(data, str) else sequence(where, data, MAX_LETTERS)
        if not names:
            _check.fail(where, "name at least one operator of an array", names)
        out: ArrayOp | None = None
        for k, name in enumerate(names):
            place = f"{where}[{k}]"
            sub, index, letter = self.named(place, name)
            if sub.count is None or index is not None:
                _check.fail(place, "be an operator of an array, without index", name)
            if letter not in type(sub).letters:
                _check.fail(place, "be a collective operator, not one emitter's", name)
            if out is not None and out.size != sub.size:
                must = f"belong to an array of {out.size} members, as the others"
                _check.fail(place, must, _check.Note(f"{name} of {sub.size}"))
            factor = getattr(sub, letter)
            out = factor if out is None else out * factor
        assert out is not None
        return out

    def weights(self, where: str, entry: Mapping[str, Any], size: int) -> Any:
        """``weights`` and ``phase`` of a sum: a number or an array of shape (size,)."""
        w: Any = 1.0
        if "weights" in entry:
            w = self.numbers(f"{where}.weights", entry["weights"], size)
        if "phase" in entry:
            w = w * np.exp(1j * real(f"{where}.phase", entry["phase"]) * np.arange(size))
        return w

    def numbers(self, where: str, data: Any, size: int) -> Any:
        """A number, one number per member, or a table of real and imaginary parts of either."""
        if isinstance(data, Mapping):
            entry = table(where, data, ["real"], ["imag"])
            parts = [self.numbers(f"{where}.{key}", entry[key], size) for key in entry]
            if any(np.iscomplexobj(part) for part in parts):
                _check.fail(where, "have numbers as its real and imaginary parts", data)
            return entry_complex(dict(zip(entry, parts, strict=True)))
        return reals(where, data, size) if isinstance(data, (list, tuple)) else real(where, data)

    def coupling(self, where: str, data: Any, size: int) -> Any:
        """A coupling for ``couple``: structured, or a matrix with its diagonal."""
        return read_coupling(where, data, size)

    def factor(self, where: str, data: Any) -> tuple[Op, int]:
        """A factor of a term, and the number of entries it holds."""
        if not isinstance(data, Mapping):
            return self.site(where, data), 0
        if "couple" in data:
            entry = table(
                where, data, ["couple", "left", "right"], ["left_weights", "right_weights"]
            )
            left = self.array(f"{where}.left", entry["left"])
            right = self.array(f"{where}.right", entry["right"])
            if left.size != right.size:
                must = f"belong to an array of {left.size} members, as `left`"
                _check.fail(f"{where}.right", must, _check.Note(f"one of {right.size}"))
            sides = []
            for op, key in ((left, "left_weights"), (right, "right_weights")):
                w = self.numbers(f"{where}.{key}", entry[key], op.size) if key in entry else 1.0
                sides.append(op if isinstance(w, float) and w == 1.0 else w * op)
            K = self.coupling(f"{where}.couple", entry["couple"], left.size)
            with _naming(where):
                return couple(sides[0], K, sides[1]), left.size
        if "sum" in data:
            entry = table(where, data, ["sum"], ["weights", "phase"])
            op = self.array(f"{where}.sum", entry["sum"])
            return (self.weights(where, entry, op.size) * op).sum(), op.size
        keys = ", ".join(map(str, data)) or "no keys"
        hint = _nearest(next(iter(data), ""), ["sum", "couple"])
        _check.fail(
            where, "have the key 'sum' or 'couple'", _check.Note(f"a table with {keys}"), hint
        )

    def op(self, where: str, data: Any) -> Op:
        """An operator: a list of terms, or the name of one."""
        if isinstance(data, str):
            return self.site(where, data)
        out: dict[Key, complex] = {}
        for k, entry in enumerate(sequence(where, data, MAX_TERMS)):
            for key, c in self.term(f"{where}[{k}]", entry).terms.items():
                out[key] = out.get(key, 0) + c
        return Op(out)

    def term(self, where: str, data: Any) -> Op:
        """One term: coefficient, functions of time and factors."""
        entry = table(where, data, ["factors"], ["coef", "times"])
        place = f"{where}.factors"
        factors = sequence(place, entry["factors"], MAX_LETTERS + MAX_SUMS)
        sums = [f for f in factors if isinstance(f, Mapping)]
        if len(sums) > MAX_SUMS or len(factors) - len(sums) > MAX_LETTERS:
            must = f"have at most {MAX_LETTERS} operators and {MAX_SUMS} sums"
            _check.fail(place, must, _check.Note(f"a list of {len(factors)}"))
        out = Op.scalar(scalar(f"{where}.coef", entry.get("coef", 1.0)))
        names = sequence(f"{where}.times", entry.get("times", []), MAX_SUMS)
        for k, name in enumerate(names):
            out = out * self.coef(f"{where}.times[{k}]", name)
        size = 0
        for k, factor in enumerate(factors):
            op, entries = self.factor(f"{place}[{k}]", factor)
            size = max(size, entries)
            self.work += size * 4 ** len(sums)
            if self.work > MAX_WORK:
                _check.fail(
                    place,
                    "belong to a model of bounded size",
                    _check.Note(f"{len(sums)} sums over {size}"),
                )
            out = out * op
        return out

    def coef(self, where: str, data: Any) -> Coef:
        """A coefficient by name."""
        name = name_of(where, data, self.coefs, "a coefficient")
        self.used.add(name)
        return self.coefs[name]

    # -- jumps -------------------------------------------------------------------------------------

    def jump(self, where: str, data: Any) -> Jump | LocalJump:
        """One entry of ``jumps``."""
        if not isinstance(data, Mapping):
            _check.fail(where, "be a table with type, op, rate", data, kind=TypeError)
        if "type" not in data:
            _missing(where, "type", data, list(data))
        kinds = ["collective", "array", "local"]
        kind = name_of(f"{where}.type", data["type"], kinds, "a type of jump")
        options = {"collective": [], "array": ["members"], "local": ["on"]}[kind]
        entry = table(where, data, ["type", "op", "rate"], options)
        if kind == "local":
            local = self.local(where, entry)
            size = local.sub.count if local.member is None else None
            rate = self.rate(f"{where}.rate", entry["rate"], size, matrix=False)
            with _naming(where):
                return LocalJump(local, rate)
        op: Op | ArrayOp
        if kind == "collective":
            op = self.op(f"{where}.op", entry["op"])
            rate = self.rate(f"{where}.rate", entry["rate"], None, matrix=False)
        else:
            op = self.array_terms(where, entry)
            rate = self.rate(f"{where}.rate", entry["rate"], op.size, matrix=True)
        with _naming(where):
            return Jump(op, rate)

    def rate(self, where: str, data: Any, size: int | None, matrix: bool) -> Any:
        """A rate: a number, a coefficient's name, one number per member, or a matrix."""
        if isinstance(data, str):
            return self.coef(where, data)
        if isinstance(data, Mapping):
            if not matrix or size is None:
                _check.fail(where, "be a number or a name, not a matrix", data)
            entry = table(where, data, ["real"], ["imag"])
            parts = {key: rows(f"{where}.{key}", entry[key], size) for key in entry}
            return entry_complex(parts)
        if isinstance(data, (list, tuple)):
            if size is None:
                _check.fail(where, "be one number", data)
            return reals(where, data, size)
        return real(where, data)

    def array_terms(self, where: str, entry: Mapping[str, Any]) -> ArrayOp:
        """The operator of an array jump: a name, or a list of weighted products."""
        place, data = f"{where}.op", entry["op"]
        size: int | None = None
        if "members" in entry:
            size = _check.integer(f"{where}.members", entry["members"], 1)
            if size > MAX_MEMBERS:
                _check.fail(f"{where}.members", f"be at most {MAX_MEMBERS}", size)
        if isinstance(data, str):
            data = [{"factors": [data]}]
        terms = []
        for k, term in enumerate(sequence(place, data, 1000)):
            fields = table(f"{place}[{k}]", term, ["factors"], ["weights", "phase"])
            names = sequence(f"{place}[{k}].factors", fields["factors"], MAX_LETTERS)
            op = self.array(f"{place}[{k}].factors", names) if names else None
            if op is not None and size is not None and op.size != size:
                must = f"belong to an array of {size} members, as the others"
                _check.fail(f"{place}[{k}].factors", must, _check.Note(f"one of {op.size}"))
            size = size if op is None else op.size
            terms.append((op, fields, f"{place}[{k}]"))
        if size is None:
            _check.fail(place, "name an operator of an array, or come with `members`", data)
        self.work += size * len(terms)
        if self.work > MAX_WORK:
            _check.fail(
                place, "belong to a model of bounded size", _check.Note(f"{len(terms)} terms")
            )
        out = ArrayOp({}, size)
        one = ArrayOp({(): np.ones(size, complex)}, size)
        for op, fields, spot in terms:
            out = out + self.weights(spot, fields, size) * (one if op is None else op)
        return out

    def local(self, where: str, entry: Mapping[str, Any]) -> LocalOp:
        """The operator of a local jump: a name, or a table of Pauli and ladder parts."""
        data = entry["op"]
        if isinstance(data, str) and "." in data:
            sub, index, name = self.named(f"{where}.op", data)
            if "on" in entry:
                _check.fail(f"{where}.on", "be omitted where `op` names it", entry["on"])
            parts: dict[str, Any] = {name: 1.0}
        else:
            if "on" not in entry:
                _missing(where, "on", entry, [])
            if not isinstance(entry["on"], str):
                must = "be the name of an ensemble"
                _check.fail(f"{where}.on", must, entry["on"], kind=TypeError)
            sub, index = self.owner(f"{where}.on", entry["on"])
            parts = {data: 1.0} if isinstance(data, str) else data
        if not isinstance(sub, Ensemble):
            _check.fail(where, "act on an ensemble", _check.Note(f"a {sub.kind}"))
        known = ["identity", *Ensemble.one_emitter]
        place = f"{where}.op"
        if isinstance(data, str):
            name_of(place, next(iter(parts)), known, "a one-emitter operator")
        table(place, parts, [], known)
        c = np.zeros(4, complex)
        for name, value in parts.items():
            unit = [1, 0, 0, 0] if name == "identity" else Ensemble.one_emitter[name]
            c = c + scalar(f"{place}.{name}", value) * np.array(unit)
        return LocalOp(sub, c, index)


def entry_complex(parts: Mapping[str, Any]) -> Any:
    """Real and imaginary parts put together."""
    if "imag" not in parts:
        return parts["real"]
    if np.shape(parts["real"]) != np.shape(parts["imag"]):
        _check.fail(
            "imag", "have the shape of `real`", _check.Note(f"of shape {np.shape(parts['imag'])}")
        )
    return parts["real"] + 1j * parts["imag"]


_COUPLINGS: dict[str, tuple[list[str], list[str]]] = {
    "nearest": ([], ["periodic"]),
    "all": ([], []),
    "waveguide": (["phi"], ["chirality"]),
    "cascade": (["phi"], []),
    "dense": (["real"], ["imag"]),
    "sparse": (["row", "col", "real"], ["imag"]),
}


def read_coupling(where: str, data: Any, size: int) -> Coupling | NDArray[Any] | sp.coo_matrix:
    """A coupling for ``couple``: structured, or a matrix with its diagonal."""
    if not isinstance(data, Mapping):
        _check.fail(where, "be a table with the key 'kind'", data, kind=TypeError)
    if "kind" not in data:
        _missing(where, "kind", data, list(data))
    kind = name_of(f"{where}.kind", data["kind"], _COUPLINGS, "a kind of coupling")
    required, optional = _COUPLINGS[kind]
    entry = table(where, data, ["kind", *required], optional)
    if kind == "nearest":
        periodic = entry.get("periodic", False)
        if not isinstance(periodic, bool):
            _check.fail(f"{where}.periodic", "be true or false", periodic, kind=TypeError)
        return NearestNeighbour(periodic)
    if kind == "all":
        return AllToAll()
    if kind in ("waveguide", "cascade"):
        phi = entry["phi"]
        place = f"{where}.phi"
        many = isinstance(phi, (list, tuple))
        value: Any = reals(place, phi, size) if many else real(place, phi)
        with _naming(where):
            if kind == "cascade":
                return Cascade(value)
            return Waveguide(value, real(f"{where}.chirality", entry.get("chirality", 0.0)))
    keys = [key for key in ("real", "imag") if key in entry]
    if kind == "dense":
        return np.asarray(entry_complex({k: rows(f"{where}.{k}", entry[k], size) for k in keys}))
    index = {key: _indices(f"{where}.{key}", entry[key], size) for key in ("row", "col")}
    values = {key: reals(f"{where}.{key}", entry[key]) for key in keys}
    lengths = {key: len(v) for key, v in {**index, **values}.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key} of {n}" for key, n in lengths.items())
        _check.fail(where, "have lists of equal length", listed)
    matrix = (entry_complex(values), (index["row"], index["col"]))
    return sp.coo_matrix(matrix, shape=(size, size))


def _indices(where: str, data: Any, size: int) -> NDArray[np.int64]:
    values = sequence(where, data, 2**40)
    for k, v in enumerate(values):
        if type(v) is not int or not 0 <= v < size:
            _check.fail(f"{where}[{k}]", f"be an index from 0 to {size - 1}", v)
    return np.array(values, np.int64)
