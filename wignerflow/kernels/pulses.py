"""Pulses in a kernel: affine maps of the state that act where it is recorded, before it is read.

A run records at the times of its pulses, so a pulse stands between two records. The maps are sparse
rows of parameters, so that the text does not depend on what the pulses do or on when they come; a
table says which ones act at a record.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..phasespace.system import PulseMap
from .layout import Layout
from .text import LANE_LOOP, Lines, Values, nested

NEAR = 1e-9  # of a run's length, by which the time of a record may miss that of its pulse


class Pulses:
    """The printer of pulses, of systems that have some."""

    def __init__(self, layout: Layout):
        self.layout, self.maps = layout, layout.system.pulses
        parameters, slots = layout.parameters, slots_of(layout)
        none = np.zeros(1, np.int64)
        #: Of a record: the first of its pulses; of a pulse its first row; of a row its first entry.
        self.first = parameters.indices(none)
        rows = [slots[m.rows] for m in self.maps]
        counts = [np.bincount(np.searchsorted(m.rows, m.entries[:, 0]), minlength=m.rows.size)
                  for m in self.maps]  # fmt: skip
        columns = [slots[m.entries[:, 1]] for m in self.maps]
        self.row = parameters.indices(_starts([r.size for r in rows]))
        self.entry = parameters.indices(_starts(np.concatenate(counts)))
        self.place = parameters.indices(np.concatenate(rows))
        self.column = parameters.indices(np.concatenate(columns))
        self.shift = parameters.array(np.concatenate([m.shift for m in self.maps]))
        self.value = parameters.array(np.concatenate([m.values for m in self.maps]))
        self.slots = parameters.integer(layout.state_slots)
        self.before = layout.wide(layout.state_slots)

    def source(self, out: Lines) -> None:
        """What ``observe`` begins with, for record i."""
        loop = nested(out, f"for u in range(o[{self.first} + i], o[{self.first} + i + 1]):")
        body = nested(loop, f"for r in range({self.slots}):")
        body += ["at = r * LN & FAR", f"kept = ({self.before} + r) * LN & FAR"]
        body += [LANE_LOOP, ["w[kept + l] = v[at + l]"]]
        body = nested(loop, f"for r in range(o[{self.row} + u], o[{self.row} + u + 1]):")
        body += [f"at = o[{self.place} + r] * LN & FAR", f"shift = p[{self.shift} + r]"]
        body += [LANE_LOOP, ["v[at + l] = shift"]]
        loop = nested(body, f"for e in range(o[{self.entry} + r], o[{self.entry} + r + 1]):")
        loop += [
            f"kept = ({self.before} + o[{self.column} + e]) * LN & FAR",
            f"weight = p[{self.value} + e]",
        ]
        loop += [LANE_LOOP, ["v[at + l] += weight * w[kept + l]"]]

    def tables(self, records: NDArray[np.float64], started: bool) -> Values:
        """Say which pulses act at which of the ``records`` of a run.

        ``started``: the run goes on from given states, on which those at its begin have acted.

        Raises:
            ValueError: one acts between two records.
        """
        times = np.array([m.time for m in self.maps])
        near = NEAR * float(records[-1] - records[0])
        begin = records[0] + (near if started else -near)
        acting = (times > begin if started else times >= begin) & (times <= records[-1] + near)
        at = np.abs(records[:, None] - times[acting]).argmin(axis=0)
        if np.any(np.abs(records[at] - times[acting]) > near):
            raise ValueError(f"A pulse at one of {times[acting]} acts between two records.")
        counts = np.bincount(at, minlength=records.size)
        done = int(np.flatnonzero(acting)[0]) if np.any(acting) else 0
        return {self.first: done + _starts(counts)}


def _starts(counts: NDArray[np.int64] | list[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *counts])


def slots_of(layout: Layout) -> NDArray[np.int64]:
    """The slot of every variable, numbered through all blocks in their order."""
    blocks = enumerate(layout.blocks)
    parts = [layout.slot[k] + np.arange(b.size * b.components) for k, b in blocks]
    return np.concatenate(parts)


def turned(
    layout: Layout, one: PulseMap, k: int, values: NDArray[np.float64], back: bool = False
) -> NDArray[np.float64]:
    """Variables (size, components) of block k, on which a pulse is a rotation, after it; ``back``:

    before it.
    """
    blocks = layout.blocks
    first = sum(b.size * b.components for b in blocks[:k])
    own = (one.rows >= first) & (one.rows < first + values.size)
    rows, columns = one.entries.T - first
    inside = (rows >= 0) & (rows < values.size)
    if back:
        rows, columns = columns, rows
    out = values.ravel().copy()
    out[one.rows[own] - first] = 0.0
    np.add.at(out, rows[inside], one.values[inside] * values.ravel()[columns[inside]])
    return out.reshape(values.shape)
