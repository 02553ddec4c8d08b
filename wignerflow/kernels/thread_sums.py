"""The kernel that adds up observables over the trajectories of chunks, the same for every model.

Sums are made in double precision and in an order that does not depend on how trajectories were
launched. A block of threads adds up one observable at one time in one chunk; thread r takes
trajectories of batch r % 32 only.
"""

from __future__ import annotations

from .threads import heading

SUMS = """
def sums(vals: "F[][][]", live: "F[][]", alive_channels: "i64", lanes: "i64", ntraj: "i64",
         i0: "i64", mean: "f64[][][]", m2: "f64[][][]", bsum: "f64[][][][]", bmap: "i64[]",
         count: "i64[][]", bcount: "i64[][][]"):
    # block (k, i, c): channel k at output i0 + i of chunk c; the last k counts trajectories
    k = block(0)
    i = block(1)
    c = block(2)
    r = thread(0)
    parts = shared_f64(SUM_THREADS)
    batch = shared_f64(32)
    first = c * lanes
    last = min(first + lanes, ntraj)
    n = 0.0
    total = 0.0
    for t in range(first + r, last, SUM_THREADS):
        if live[i, t] > F(0):
            n += 1.0
            if k < alive_channels:
                total += np.float64(vals[i, k, t])
    alive = added(n, parts, batch, r)
    if k == alive_channels:
        if r == 0:
            count[c, i0 + i] = int(alive)
        if r < 32:
            bcount[c, i0 + i, r] = int(batch[r])
    else:
        centre = added(total, parts, batch, r) / max(alive, 1.0)
        b = bmap[k]
        if b >= 0 and r < 32:
            bsum[c, i0 + i, r, max(b, 0)] = batch[r]
        square = 0.0
        for t in range(first + r, last, SUM_THREADS):
            if live[i, t] > F(0):
                d = np.float64(vals[i, k, t]) - centre
                square += d * d
        square = added(square, parts, batch, r)
        if r == 0:
            mean[c, i0 + i, k] = centre
            m2[c, i0 + i, k] = square


def added(x, parts, batch, r):
    # thread r has trajectories of batch r % 32 only
    barrier()
    parts[r] = x
    barrier()
    if r < 32:
        part = 0.0
        for j in range(r, SUM_THREADS, 32):
            part += parts[j]
        batch[r] = part
    barrier()
    total = 0.0
    for j in range(32):
        total += batch[j]
    return total
"""


def sums_source(single: bool, threads: int) -> str:
    """The module's text; ``threads`` per block, a multiple of 32."""
    return (
        "\n".join([*heading(single), f"LN = {threads}", f"SUM_THREADS = {threads}"]) + "\n" + SUMS
    )
