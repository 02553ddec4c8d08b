"""What kernel text can ask of the threads of a GPU, as LLVM's intrinsics of each maker."""

from __future__ import annotations

from .expressions import Expressions
from .language import TYPES, Array, Value

FULL = "i32 -1"  # all threads of a warp take part
PLACES = {
    "nvptx64": ("nvvm.read.ptx.sreg.tid", "nvvm.read.ptx.sreg.ctaid"),
    "amdgcn": ("amdgcn.workitem.id", "amdgcn.workgroup.id"),
}
#: NVIDIA's shuffles, and the bounds of what they read.
SHUFFLES = {"swapped": ("bfly", 31), "shifted": ("up", 0), "at_lane": ("idx", 31)}


class Devices(Expressions):
    """Lowers what only threads of a GPU can do."""

    def _place(self, which: int, d: Value) -> Value:
        name = self.module.intrinsic(f"{PLACES[self.module.gpu][which]}.{'xyz'[d.ref]}", "i32")
        return self.convert(Value("u32", self.emit(f"call i32 {name}()")), "i64")

    def gpu_thread(self, d: Value) -> Value:
        return self._place(0, d)

    def gpu_block(self, d: Value) -> Value:
        return self._place(1, d)

    def gpu_memory(self, n: Value) -> Array:
        name = self.name()
        self.reserve(name, f"[{n.ref} x {TYPES[self.module.working]}]")
        return Array(self.module.working, name, (n,))

    def _shared(self, kind: str, sizes: tuple[Value, ...]) -> Array:
        total = 1
        for n in sizes:
            total *= n.ref
        name = f"@shared{len(self.module.shared)}"
        what = f"[{total} x {TYPES[kind]}]"
        self.module.shared.append(f"{name} = internal addrspace(3) global {what} poison, align 16")
        at = self.emit(f"addrspacecast ptr addrspace(3) {name} to ptr")
        return Array(kind, at, sizes)

    def gpu_shared(self, *sizes: Value) -> Array:
        return self._shared(self.module.working, sizes)

    def gpu_shared_f64(self, *sizes: Value) -> Array:
        return self._shared("f64", sizes)

    def gpu_barrier(self) -> None:
        if self.module.gpu == "amdgcn":
            self.do('fence syncscope("workgroup") release')
            self.do(f"call void {self.module.intrinsic('amdgcn.s.barrier', 'void')}()")
            self.do('fence syncscope("workgroup") acquire')
        else:
            name = self.module.intrinsic("nvvm.barrier.cta.sync.aligned.all", "void", "i32")
            self.do(f"call void {name}(i32 0)")

    def gpu_warp_barrier(self) -> None:
        if self.module.gpu == "amdgcn":
            self.do('fence syncscope("wavefront") acq_rel')
            self.do(f"call void {self.module.intrinsic('amdgcn.wave.barrier', 'void')}()")
        else:
            self.do(
                f"call void {self.module.intrinsic('nvvm.bar.warp.sync', 'void', 'i32')}({FULL})"
            )

    def _shuffled(self, how: str, x: Value, other: Value) -> Value:
        """x of another thread of the warp; of numbers of 64 bits both halves."""
        d = self.convert(self.typed(other, "i64"), "i32").ref
        if self.module.gpu == "amdgcn":
            low = self.module.intrinsic("amdgcn.mbcnt.lo", "i32", "i32", "i32")
            me = self.emit(f"call i32 {low}({FULL}, i32 0)")
            word = {"swapped": f"xor i32 {me}, {d}", "shifted": f"sub i32 {me}, {d}"}.get(how)
            lane = self.emit(word) if word else d
            if how == "shifted":  # where there is none, its own
                none = self.emit(f"icmp slt i32 {lane}, 0")
                lane = self.emit(f"select i1 {none}, i32 {me}, i32 {lane}")
            at = self.emit(f"shl i32 {lane}, 2")
            name = self.module.intrinsic("amdgcn.ds.bpermute", "i32", "i32", "i32")
            call = f"call i32 {name}(i32 {at}, i32 {{}})"
        else:
            kind, bound = SHUFFLES[how]
            types = ("i32",) * 4
            name = self.module.intrinsic(f"nvvm.shfl.sync.{kind}.i32", "i32", *types)
            call = f"call i32 {name}({FULL}, i32 {{}}, i32 {d}, i32 {bound})"
        if x.kind == "f32":
            bits = self.emit(f"bitcast float {x.ref} to i32")
            return Value("f32", self.emit(f"bitcast i32 {self.emit(call.format(bits))} to float"))
        halves = self.emit(f"bitcast double {x.ref} to <2 x i32>")
        out = "poison"
        for n in range(2):
            half = self.emit(call.format(self.emit(f"extractelement <2 x i32> {halves}, i32 {n}")))
            out = self.emit(f"insertelement <2 x i32> {out}, i32 {half}, i32 {n}")
        return Value("f64", self.emit(f"bitcast <2 x i32> {out} to double"))

    def gpu_swapped(self, x: Value, d: Value) -> Value:
        return self._shuffled("swapped", x, d)

    def gpu_shifted(self, x: Value, d: Value) -> Value:
        return self._shuffled("shifted", x, d)

    def gpu_at_lane(self, x: Value, k: Value) -> Value:
        return self._shuffled("at_lane", x, k)
