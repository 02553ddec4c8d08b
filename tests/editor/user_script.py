"""A user's script: type checkers find the mistakes in lines marked ``# wrong``, and no others."""

import numpy as np

import wignerflow as wf

atoms = wf.Ensemble(100, name="atoms")
chain = wf.Ensemble([10, 20, 30], name="chain", count=3)
spins = wf.Spin(name="spins", count=4)
spin = wf.CollectiveSpin(5, name="spin")
cav = wf.Mode(name="cav", cutoff=20)
three = wf.Levels(50, ["g", "e", "f"], name="three")
ones = wf.Levels.spin(1, 100, name="ones")

phases = np.exp(1j * np.arange(3))
collective = (phases * chain.Jm).sum()
H = (
    0.1 * cav.n
    + cav.a * atoms.Jp
    + cav.adag * atoms.Jm
    + wf.couple(chain.Jp, wf.NearestNeighbour(), chain.Jm)
    + wf.coef(np.sin) * spin.Jx
    + 0.5 * (spins.sx[0] * spins[1].sz)
    + three.op("g", "e")
    + three.op("e", "g")
    + ones.Sz
    + chain[2].Jz
)
model = wf.Model(
    H,
    [
        wf.Jump(cav.a, rate=1.0),
        wf.Jump(collective, rate=0.2),
        wf.Jump(chain.Jm, rate=[0.1, 0.2, 0.3]),
        wf.Jump(chain.Jm, rate=np.eye(3)),
        wf.LocalJump(atoms.sm, rate=wf.coef(np.cos)),
        wf.LocalJump(atoms.sx + 1j * atoms.sy, rate=0.1),
        wf.LocalJump(chain[1].sp, rate=0.1),
        wf.LocalJump(three.one("g", "e"), rate=1.0),
    ],
    initial={
        atoms: wf.up,
        chain: [wf.up, wf.down, wf.bloch(0.1, 0.2)],
        spins: wf.down,
        spin: wf.up,
        cav: wf.vacuum,
        three: wf.level("e"),
        ones: wf.level("0"),
    },
)
t = np.linspace(0, 1, 11)
e_ops = {
    "emission": atoms.Jp * atoms.Jm,
    "chain": chain.Jz,
    "squeezing": wf.Squeezing(atoms),
    "member": wf.Squeezing(chain[0]),
    "g2": wf.g2(cav.a),
}
result = wf.solve(model, t, e_ops=e_ops, method="twa", ntraj=100, seed=1)
again = wf.solve(model, [0.0, 1.0], e_ops=[cav.n], method=wf.TWA(), precision="double")
emission: float = result.expect["emission"][-1]
steady = wf.steady_state(model, {"n": cav.n}, "exact")
both = wf.compare(model, np.arange(5), e_ops={"n": cav.n}, methods=["twa", wf.Exact()])
sizes: list[int] = [atoms.N, chain[0].N]

wf.solve(model, t, e_ops={"n": cav.n}, method="twaa")  # wrong
wf.solve(model, t, e_ops=atoms.Jz)  # wrong
wf.LocalJump(atoms.Jm, 1)  # wrong
wf.Jump(atoms.sm, 1)  # wrong
cav.Jz  # wrong
atoms.a  # wrong
wf.Squeezing(3)  # wrong
wf.solve(model, "0:1:11", e_ops={"n": cav.n})  # wrong
wf.solve(model, t, e_ops={"n": cav.n}, ntrajs=3)  # wrong
