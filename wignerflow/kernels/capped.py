r"""Gaussian noise of a covariance that may have negative directions, by a capped factorisation.

A Cholesky factor needs the square roots of pivots. A small positive pivot with a finite column
would give unbounded noise, and a negative one none at all. Here every entry of a column is limited
to what the remaining variance of its row allows: all variances are kept (or zero where they are
negative), only correlations shrink, and a positive covariance is met exactly.

The real and the imaginary part of a coherence are limited together, by one factor, so that their
own covariance is kept as well. Limited one by one they would come out along a diagonal of the
plane, noise with a direction where there is none: of amplitudes that grow from noise, fourth
moments would be wrong by a share that does not fall with N. For the same reason what has small
variances comes last: it must not decide about what is large. Covariances known to vanish for all
values are never printed.
"""

from __future__ import annotations

#: What is left of a variance below this share is taken for zero: it may be rounding, and the root
#: of rounding (1e-8 in double precision) would be noise in a direction that has none.
SMALL = 1e-5
#: A negative remainder counts as clipped beyond this share of the total variance.
COUNTED = 1e-5
#: A pivot below this share of that has no column: squares of its entries would overflow.
TINY = 1e-7

#: Lower triangle of a covariance: source of every entry that is not zero, by (later, earlier).
Entries = dict[tuple[int, int], str]


def clamp(value: str, bound: str) -> str:
    """``value`` between -``bound`` and ``bound`` (not negative), as source."""
    return f"{bound} - fmax0(F(2) * {bound} - fmax0({value} + {bound}))"


def capped_noise(
    tag: str, order: list[tuple[int, ...]], entries: Entries, normals: list[str], clip: str
) -> tuple[list[str], dict[int, str]]:
    """Lines that make noise, and the source of the noise of every variable.

    Args:
        tag: begins all names.
        order: variables with noise, pivots in this order; both parts of a coherence as a pair.
        entries: covariances by pairs of variables, either way round; the diagonal is complete.
        normals: standard normals, one per variable of ``order``.
        clip: place that counts steps in which something was limited.
    """
    lines: list[str] = []
    flat = [variable for group in order for variable in group]
    place = {variable: k for k, variable in enumerate(flat)}
    groups = [[place[variable] for variable in group] for group in order]
    A: dict[tuple[int, int], str] = {}
    for (i, j), text in entries.items():
        a, b = sorted((place[i], place[j]))
        A[b, a] = f"{tag}v{b}_{a}"
        lines.append(f"{A[b, a]} = {text}")
    n = len(flat)
    lines.append(f"{tag}t = F({COUNTED}) * ({' + '.join(f'fmax0({A[k, k]})' for k in range(n))})")
    flags = []
    for k in range(n):
        flags.append(f"below({A[k, k]} + {tag}t)")
        lines += [f"{tag}k{k} = fmax0({A[k, k]})", f"{tag}w{k} = {tag}k{k}"]
    lines.append(f"{tag}c = {' + '.join(flags)}")
    noise: list[list[str]] = [[] for _ in flat]
    for q in range(n):
        pivot = f"{tag}w{q}"
        below = [i for i in range(q + 1, n) if (i, q) in A]
        lines.append(f"{tag}d{q} = np.sqrt({pivot})")
        noise[q].append(f"{tag}d{q} * {normals[q]}")
        if not below:
            continue
        large = f"{pivot} - F({TINY}) * {tag}t - F(1e-20)"
        lines.append(f"{tag}r{q} = pick({large}, F(1) / ({tag}d{q} + F(1e-30)), F(0) * {pivot})")
        lines += [f"{tag}e{i}_{q} = {A[i, q]} * {tag}r{q}" for i in below]
        for group in groups:
            if len(group) == 2 and set(group) <= set(below):
                a, b = group
                names = (f"{tag}e{a}_{q}", f"{tag}e{b}_{q}", f"{tag}w{a}", f"{tag}w{b}")
                scale = f"{tag}k{a} * {tag}k{b}"
                lines += together(tag, names, A.get((b, a)), scale, f"{tag}c")
        for i in below:
            e, w = f"{tag}e{i}_{q}", f"{tag}w{i}"
            lines += [
                f"{tag}u = {w} - {e} * {e}",
                f"{tag}c = {tag}c + below({tag}u + {tag}t)",
                f"{tag}b = np.sqrt({w})",
                f"{e} = {clamp(e, f'{tag}b')}",
                f"{w} = {remainder(f'{tag}u', f'{tag}k{i}')}",
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
    return lines, {flat[q]: " + ".join(parts) for q, parts in enumerate(noise)}


def remainder(value: str, scale: str) -> str:
    """What is left of a variance that was ``scale`` at first, as source."""
    return f"pick({value} - F({SMALL}) * {scale}, {value}, F(0) * {scale})"


def together(
    tag: str, names: tuple[str, str, str, str], between: str | None, scale: str, count: str
) -> list[str]:
    """Limit the column entries f of a pair to f^T W^-1 f <= 1, W its remaining covariance.

    Where W has one direction left, f becomes its part along it.

    Args:
        tag: begins names of their own.
        names: of both entries, which are assigned, and of both remaining variances.
        between: the remaining covariance of both, None for zero.
        scale: product of both variances at first.
        count: name that counts what was limited.
    """
    f, g, v, w = names
    square = f" - {between} * {between}" if between else ""
    cross = f" - F(2) * {f} * {g} * {between}" if between else ""
    along = [f"{v} * {f}", f"{w} * {g}"]
    if between:
        along = [f"{along[0]} + {between} * {g}", f"{along[1]} + {between} * {f}"]
    return [
        f"{tag}x = {v} * {w}{square}",
        f"{tag}y = {f} * {f} * {w} + {g} * {g} * {v}{cross}",
        f"{tag}z = F({SMALL}) * {scale}",
        f"{tag}o = below({tag}x - {tag}y) * below({tag}z - {tag}y)",  # too large
        f"{count} = {count} + {tag}o",
        f"{tag}s = pick({tag}o, np.sqrt(fmax0({tag}x) / ({tag}y + F(1e-30))), F(1))",
        f"{tag}o = {tag}o * below({tag}x - {tag}z)",  # and one direction left
        f"{tag}y = F(1) / ({v} + {w} + F(1e-30))",
        f"{tag}x = pick({tag}o, ({along[0]}) * {tag}y, {tag}s * {f})",
        f"{g} = pick({tag}o, ({along[1]}) * {tag}y, {tag}s * {g})",
        f"{f} = {tag}x",
    ]
