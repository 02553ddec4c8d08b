r"""Gaussian noise of a covariance that may have negative directions, by a capped factorisation.

A Cholesky factor needs the square roots of pivots. A small positive pivot with a finite column
would give unbounded noise, and a negative one none at all. Here every entry of a column is limited
to what the remaining variance of its row allows: all variances are kept (or zero where they are
negative), only correlations shrink, and a positive covariance is met exactly. Covariances known to
vanish for all values are never printed.
"""

from __future__ import annotations

#: A pivot below this share of its variance is taken for zero; what is left of it is rounding.
SMALL = 1e-5
#: A negative remainder counts as clipped beyond this share of the total variance.
COUNTED = 1e-5

#: Lower triangle of a covariance: source of every entry that is not zero, by (later, earlier).
Entries = dict[tuple[int, int], str]


def clamp(value: str, bound: str) -> str:
    """``value`` between -``bound`` and ``bound`` (not negative), as source."""
    return f"{bound} - fmax0(F(2) * {bound} - fmax0({value} + {bound}))"


def capped_noise(
    tag: str, order: list[int], entries: Entries, normals: list[str], clip: str
) -> tuple[list[str], dict[int, str]]:
    """Lines that make noise, and the source of the noise of every variable.

    Args:
        tag: begins all names.
        order: variables with noise, pivots in this order.
        entries: covariances by pairs of variables, either way round; the diagonal is complete.
        normals: standard normals, one per variable of ``order``.
        clip: place that counts steps in which something was limited.
    """
    lines: list[str] = []
    place = {variable: k for k, variable in enumerate(order)}
    A: dict[tuple[int, int], str] = {}
    for (i, j), text in entries.items():
        a, b = sorted((place[i], place[j]))
        A[b, a] = f"{tag}v{b}_{a}"
        lines.append(f"{A[b, a]} = {text}")
    n = len(order)
    lines.append(f"{tag}t = F({COUNTED}) * ({' + '.join(f'fmax0({A[k, k]})' for k in range(n))})")
    flags = []
    for k in range(n):
        flags.append(f"below({A[k, k]} + {tag}t)")
        lines += [f"{tag}k{k} = fmax0({A[k, k]})", f"{tag}w{k} = {tag}k{k}"]
    lines.append(f"{tag}c = {' + '.join(flags)}")
    noise: list[list[str]] = [[] for _ in order]
    for q in range(n):
        pivot = f"{tag}w{q}"
        below = [i for i in range(q + 1, n) if (i, q) in A]
        lines.append(f"{tag}d{q} = np.sqrt({pivot})")
        noise[q].append(f"{tag}d{q} * {normals[q]}")
        if not below:
            continue
        lines.append(
            f"{tag}r{q} = pick({pivot} - F({SMALL}) * {tag}k{q}, "
            f"F(1) / ({tag}d{q} + F(1e-30)), F(0) * {pivot})"
        )
        for i in below:
            e, w = f"{tag}e{i}_{q}", f"{tag}w{i}"
            lines += [
                f"{tag}f = {A[i, q]} * {tag}r{q}",
                f"{tag}u = {w} - {tag}f * {tag}f",
                f"{tag}c = {tag}c + below({tag}u + {tag}t)",
                f"{tag}b = np.sqrt({w})",
                f"{e} = {clamp(f'{tag}f', f'{tag}b')}",
                f"{w} = fmax0({tag}u)",
            ]
            noise[i].append(f"{e} * {normals[q]}")
        for i in below:
            for j in below:
                if j >= i:
                    continue
                product = f"{tag}e{i}_{q} * {tag}e{j}_{q}"
                if (i, j) in A:
                    lines.append(f"{A[i, j]} = {A[i, j]} - {product}")
                else:
                    A[i, j] = f"{tag}v{i}_{j}"
                    lines.append(f"{A[i, j]} = F(0) - {product}")
    lines.append(f"{clip} += below(F(0) - {tag}c)")
    return lines, {order[q]: " + ".join(parts) for q, parts in enumerate(noise)}
