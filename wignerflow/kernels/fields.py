"""Coupling fields Phi_m = sum_m' K_mm' w_m' mono(v_m'), each structure at its natural cost.

Nearest-neighbour fields are read from the neighbours in the lane loop; waveguide fields are running
sums carried from member to member, so that cost is O(M); sparse and dense fields are made
beforehand in a pass of their own, as products of a matrix with a block of trajectories (dense ones
near the speed of a BLAS, see ``dense``).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..model.couplings import Coupling
from ..phasespace.polynomials import Leaf
from ..phasespace.system import PairSpec
from .dense import packed, padded
from .layout import Layout, Mono, mono_names, times
from .text import LANE_LOOP, Lines, Prologue, nested

GUIDES = ("waveguide", "cascade")  # K_mm' is a function of the phases' difference and of the order


class Field:
    """One coupling field: coupling, source monomial and source weights (None when all one)."""

    def __init__(
        self, coupling: Coupling, mono: Mono, weights: NDArray[np.float64] | None, index: int
    ):
        self.coupling, self.mono, self.weights, self.index = coupling, mono, weights, index
        self.structure = coupling.structure
        self.offset = ""  # where a pre-computed field lives in ``w``
        self.source = ""  # and, of a dense coupling, what it is made from
        self.sums: list[tuple[int, str, str]] = []  # waveguide: (form, scale, per-member weights)

    @property
    def name(self) -> str:
        """Local name of the field's value."""
        return f"phi{self.index}"


class Fields:
    """All coupling fields of a list of pairs."""

    def __init__(self, layout: Layout, pairs: list[PairSpec], *, values_only: bool = False):
        """``values_only``: fields for the pairs' values, not for their derivatives too."""
        self.layout = layout
        self.fields: list[Field] = []
        self._index: dict[object, int] = {}
        # per pair: (target monomial, target weights, field, factor)
        self.uses: list[list[tuple[Mono, NDArray[np.float64] | None, Field, float]]] = []
        for pair in pairs:
            same = pair.left == pair.right and _key(pair.u) == _key(pair.v)
            same = same and pair.coupling.symmetric
            field = self.add(pair.coupling, pair.right, pair.v)
            uses = [(pair.left, pair.u, field, 2.0 if same else 1.0)]
            if not same and not values_only:
                other = self.add(pair.coupling.transpose(), pair.left, pair.u)
                uses.append((pair.right, pair.v, other, 1.0))
            self.uses.append(uses)

    def add(self, coupling: Coupling, mono: Mono, weights: NDArray[np.float64] | None) -> Field:
        """The field of a coupling sum, made once."""
        key = (coupling.key, mono, _key(weights))
        if key not in self._index:
            self._index[key] = len(self.fields)
            field = Field(coupling, mono, weights, len(self.fields))
            self.fields.append(field)
            self._prepare(field)
        return self.fields[self._index[key]]

    def _size(self, field: Field) -> int:
        return self.layout.blocks[field.mono[0][0]].size

    def _prepare(self, field: Field) -> None:
        layout, size = self.layout, self._size(field)
        parameters, K = layout.parameters, field.coupling
        w = np.ones(size) if field.weights is None else field.weights
        if K.structure in GUIDES:
            theta = K.phases(size)  # type: ignore[attr-defined]
            for values in (w * np.cos(theta), w * np.sin(theta)):
                scale = float(values[np.argmax(np.abs(values))]) or 1.0
                form = layout.system.form(field.mono, values / scale)
                field.sums.append((form, parameters.scalar(scale), layout.member_value(values)))
            field.sums += [
                (-1, "", layout.member_value(np.cos(theta))),
                (-1, "", layout.member_value(np.sin(theta))),
            ]
        elif K.structure in ("sparse", "dense"):
            if K.structure == "dense":
                field.offset, field.source = layout.wide(padded(size)), layout.wide(size)
                matrix = K.matrix(size).real * w
                field.sums = [(-1, "", parameters.array(packed(matrix)))]
            else:
                matrix = K.csr.real.multiply(w[None, :]).tocsr()  # type: ignore[attr-defined]
                field.offset = layout.wide(size)
                field.sums = [
                    (-1, parameters.indices(matrix.indptr), parameters.array(matrix.data)),
                    (-1, parameters.indices(matrix.indices), ""),
                ]
        elif K.structure != "nearest":
            raise NotImplementedError(f"Coupling structure {K!r} has no kernel.")

    def forms(self) -> list[int]:
        """Forms whose totals the running sums start from."""
        return [form for f in self.fields for form, _, _ in f.sums if form >= 0]

    # -- text ---------------------------------------------------------------------------------

    def begin(
        self,
        out: Lines,
        scratch_of_form: Mapping[int, str],
        prologue: Prologue,
        kept: str = "form",
    ) -> None:
        """In a lane loop before the members: running sums start at minus the total.

        ``kept`` and a form's number name the scratch entry in which it was summed.
        """
        for f in self.fields:
            if f.structure in GUIDES:
                for i, (form, scale, _) in enumerate(f.sums[:2]):
                    run, scale = self.layout.s(f"run{f.index}_{i}"), prologue.name(scale)
                    out += [f"{run} = -({scale}) * {scratch_of_form[form]}"]
                    ahead = self.layout.loops.ahead(self.layout, f"{kept}{form}")
                    if ahead:
                        out += [f"{run} += F(2) * {scale} * {ahead}"]

    def before(self, out: Lines, group: int, source: str) -> None:
        """Before the loop over members: fields made by matrix products."""
        for f in self.fields:
            if self._size(f) != group or f.structure not in ("sparse", "dense"):
                continue
            M = self.layout.group_size[group]
            loop = self.layout.each(out, M, "m")
            loop += [f"iz = ({f.offset} + m) * LN & FAR", LANE_LOOP, ["w[iz + l] = F(0)"]]
            if f.structure == "sparse":
                starts, data = f.sums[0][1], f.sums[0][2]
                body = nested(loop, f"for e in range(o[{starts} + m], o[{starts} + m + 1]):")
                body += [f"kk = p[{data} + e]", *self._indices(f, f"o[{f.sums[1][1]} + e]", "j")]
                body += [LANE_LOOP, [f"w[iz + l] += kk * {self._value(f, source, 'j')}"]]
            else:
                loop += [f"is_ = ({f.source} + m) * LN & FAR", *self._indices(f, "m", "j")]
                loop += [LANE_LOOP, [f"w[is_ + l] = {self._value(f, source, 'j')}"]]
            if f.structure == "dense":
                at = f"p, {f.sums[0][2]}, w, {f.source}, {f.offset}"
                out += [f"dense_product({at}, F(1), {M}, {M}, LN)"]

    def _indices(self, f: Field, m: str, prefix: str) -> list[str]:
        blocks = dict.fromkeys(b for b, _ in f.mono)
        return [f"{prefix}{b} = {self.layout.member_index(b, m)}" for b in blocks]

    def _value(self, f: Field, source: str, prefix: str) -> str:
        return " * ".join(f"{source}[{prefix}{b} + {c} * LN + l]" for b, c in f.mono)

    def member(self, out: Lines, group: int) -> None:
        """Per member, outside the lane loop: neighbours' indices and phases."""
        for f in self.fields:
            if self._size(f) != group:
                continue
            n, M = f.index, self.layout.group_size[group]
            if f.structure == "nearest":
                wrap = "F(1)" if f.coupling.periodic else "F(0)"  # type: ignore[attr-defined]
                out += [f"mu = m + 1 if m + 1 < {M} else 0", f"md = m - 1 if m > 0 else {M} - 1"]
                out += [
                    f"wu{n} = F(1) if m + 1 < {M} else {wrap}",
                    f"wd{n} = F(1) if m > 0 else {wrap}",
                ]
                if f.weights is not None:
                    at = self.layout.parameters.array(f.weights)
                    out += [f"wu{n} = wu{n} * p[{at} + mu]", f"wd{n} = wd{n} * p[{at} + md]"]
                out += [*self._indices(f, "mu", f"iu{n}_"), *self._indices(f, "md", f"id{n}_")]
            elif f.structure in GUIDES:
                for i, (_, _, value) in enumerate(f.sums):
                    out += [f"a{n}_{i} = {value}"]
            else:
                out += [f"iw{n} = ({f.offset} + m) * LN & FAR"]

    def lane(self, group: int, source: str, names: Mapping[Leaf, str]) -> list[str]:
        """In the lane loop of a member: the fields' values."""
        out = []
        for f in self.fields:
            if self._size(f) != group:
                continue
            n = f.index
            if f.structure == "nearest":
                up = times(f"wu{n}", self._value(f, source, f"iu{n}_"))
                down = times(f"wd{n}", self._value(f, source, f"id{n}_"))
                out.append(f"{f.name} = {up} + {down}")
            elif f.structure in GUIDES:
                here = mono_names(f.mono, dict(names))
                runs = [self.layout.s(f"run{n}_{i}") for i in range(2)]
                for i in range(2):
                    out.append(f"e{n}_{i} = a{n}_{i} * {here}")
                    out.append(f"d{n}_{i} = {runs[i]} + e{n}_{i}")
                    out.append(f"{runs[i]} = d{n}_{i} + e{n}_{i}")
                if f.structure == "cascade":
                    half = f"F({0.5 * f.coupling.sign})"
                    out.append(f"{f.name} = {half} * (a{n}_2 * d{n}_0 + a{n}_3 * d{n}_1)")
                else:
                    out.append(f"{f.name} = F(0.5) * (a{n}_3 * d{n}_0 - a{n}_2 * d{n}_1)")
            else:
                out.append(f"{f.name} = w[iw{n} + l]")
        return out


def _key(weights: NDArray[np.float64] | None) -> bytes:
    return b"" if weights is None else weights.tobytes()
