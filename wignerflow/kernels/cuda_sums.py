"""The kernel that adds up observables over the trajectories of chunks, the same for every model.

Sums are made in double precision and in an order that does not depend on how trajectories were
launched. A block of threads adds up one observable at one time in one chunk; thread r takes
trajectories of batch r % 32 only.
"""

from __future__ import annotations

from .cuda_text import decorated, heading

SUMS = """
def sums(vals, live, alive_channels, lanes, ntraj, i0, mean, m2, bsum, bmap, count, bcount):
    # block (k, i, c): channel k at output i0 + i of chunk c; the last k counts trajectories
    k, i, c = cuda.blockIdx.x, cuda.blockIdx.y, cuda.blockIdx.z
    r = cuda.threadIdx.x
    shared = cuda.shared.array(SUM_THREADS, nb.float64)
    batch = cuda.shared.array(32, nb.float64)
    first = c * lanes
    last = min(first + lanes, ntraj)
    n, total = 0.0, 0.0
    for t in range(first + r, last, SUM_THREADS):
        if live[i, t] > F(0):
            n += 1.0
            if k < alive_channels:
                total += np.float64(vals[i, k, t])
    alive = added(n, shared, batch, r)
    if k == alive_channels:
        if r == 0:
            count[c, i0 + i] = int(alive)
        if r < 32:
            bcount[c, i0 + i, r] = int(batch[r])
        return
    centre = added(total, shared, batch, r) / max(alive, 1.0)
    b = bmap[k]
    if b >= 0 and r < 32:
        bsum[c, i0 + i, r, b] = batch[r]
    square = 0.0
    for t in range(first + r, last, SUM_THREADS):
        if live[i, t] > F(0):
            d = np.float64(vals[i, k, t]) - centre
            square += d * d
    square = added(square, shared, batch, r)
    if r == 0:
        mean[c, i0 + i, k] = centre
        m2[c, i0 + i, k] = square


def added(x, shared, batch, r):
    # thread r has trajectories of batch r % 32 only
    cuda.syncthreads()
    shared[r] = x
    cuda.syncthreads()
    if r < 32:
        part = 0.0
        for j in range(r, SUM_THREADS, 32):
            part += shared[j]
        batch[r] = part
    cuda.syncthreads()
    total = 0.0
    for j in range(32):
        total += batch[j]
    return total
"""


def sums_source(single: bool, threads: int, simulated: bool) -> str:
    """The module's source; ``threads`` per block, a multiple of 32."""
    head = [*heading(single, simulated), f"SUM_THREADS = {threads}"]
    return "\n".join(head) + "\n" + decorated(SUMS, simulated)
