"""Runs compiled GPU code on the CPU: PTX to C, a coroutine for every thread of a block.

A twin of the GPU for tests on machines without one. Instructions become C statements one by one.
The threads of a block take turns at barriers and shuffles, in an order that is a parameter: a
missing barrier shows as results that depend on it. Stricter than a GPU, it demands that all 32
threads of a warp meet in one and the same shuffle or warp barrier. What it does not stand for: the
last translation, to the code of one kind of card, and that card's approximate division and square
root (exact here). Needs a C compiler and ``ucontext`` (Linux).
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

C_TYPES = {
    "b8": "uint8_t", "u8": "uint8_t", "s8": "int8_t",
    "b16": "uint16_t", "u16": "uint16_t", "s16": "int16_t",
    "b32": "uint32_t", "u32": "uint32_t", "s32": "int32_t",
    "b64": "uint64_t", "u64": "uint64_t", "s64": "int64_t",
    "f32": "float", "f64": "double", "pred": "int",
}  # fmt: skip
#: What PTX calls the registers of a type; longest names first.
REGISTERS = {"rd": "b64", "rs": "b16", "fd": "f64", "r": "b32", "f": "f32", "p": "pred"}
COMPARE = {
    "eq": "{} == {}", "ne": "{} != {}", "lt": "{} < {}", "le": "{} <= {}", "gt": "{} > {}",
    "ge": "{} >= {}", "ltu": "!({} >= {})", "leu": "!({} > {})", "gtu": "!({} <= {})",
    "geu": "!({} < {})", "equ": "!({0} < {1} || {0} > {1})",
    "neu": "!({} == {})", "num": "({0} == {0} && {1} == {1})", "nan": "({0} != {0} || {1} != {1})",
}  # fmt: skip
INFIX = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^", "div": "/"}
SPECIAL = re.compile(r"%(n?tid|n?ctaid)\.([xyz])$")

RUNTIME = r"""
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static float f_b(uint32_t x) { float y; memcpy(&y, &x, 4); return y; }
static uint32_t b_f(float x) { uint32_t y; memcpy(&y, &x, 4); return y; }
static double d_b(uint64_t x) { double y; memcpy(&y, &x, 8); return y; }
static uint64_t b_d(double x) { uint64_t y; memcpy(&y, &x, 8); return y; }
#define LOAD(T, a) (*(T *)(uintptr_t)(a))

enum { READY, WARP, BLOCK, DONE };
typedef struct {
  ucontext_t place;
  uint32_t tid[3], give, got, other, clamp, mask;
  int waits, site, kind, valid;
} Thread;
static Thread *me, threads[1024];
static ucontext_t scheduler;
static uint32_t tid[3], ntid[3], ctaid[3], nctaid[3];
static uint64_t *args;
static int ignored;

static void wait_for(int what, int site) {
  me->waits = what, me->site = site;
  swapcontext(&me->place, &scheduler);
}
static uint32_t shuffle(int site, char kind, uint32_t x, uint32_t other, uint32_t clamp,
                        uint32_t mask, int *p) {
  me->kind = kind, me->give = x, me->other = other, me->clamp = clamp, me->mask = mask;
  wait_for(WARP, site);
  *p = me->valid;
  return me->got;
}
static void exchange(Thread *warp) {
  for (int lane = 0; lane < 32; lane++) {
    Thread *t = warp + lane;
    if (!t->kind) continue;
    int mask = t->clamp >> 8 & 31, most = (lane & mask) | (t->clamp & 31 & ~mask), from = lane;
    if (t->kind == 'b') from = lane ^ t->other;
    if (t->kind == 'u') from = lane - (int)t->other;
    if (t->kind == 'i') from = (lane & mask) | (t->other & 31 & ~mask);
    t->valid = t->kind == 'u' ? from >= most : from <= most;
    t->got = warp[t->valid ? from : lane].give;
  }
}
"""

LAUNCH = r"""
static void begin(void) { kernel(); me->waits = DONE; swapcontext(&me->place, &scheduler); }

static int block(int count, uint32_t *random, int order, char *stacks, size_t stack) {
  for (int t = 0; t < count; t++) {
    threads[t].waits = READY;
    getcontext(&threads[t].place);
    threads[t].place.uc_stack.ss_sp = stacks + t * stack;
    threads[t].place.uc_stack.ss_size = stack;
    threads[t].place.uc_link = 0;
    makecontext(&threads[t].place, begin, 0);
  }
  for (;;) {
    int done = 0, at_block = 0, moved = 0;
    for (int n = 0; n < count; n++) {
      int t = order == 0 ? n : count - 1 - n;
      if (order > 1) {
        *random = *random * 1664525u + 1013904223u;
        t = (n ^ *random >> 16) % count;
      }
      if (threads[t].waits != READY) continue;
      me = threads + t;
      for (int x = 0; x < 3; x++) tid[x] = me->tid[x];
      me->kind = 0;
      swapcontext(&scheduler, &me->place);
      moved = 1;
    }
    for (int w = 0; w < count; w += 32) {
      int size = count - w < 32 ? count - w : 32, waiting = 0, ready = 0;
      for (int t = w; t < w + size; t++) {
        waiting += threads[t].waits == WARP;
        ready += threads[t].waits == READY;
      }
      if (!waiting || ready) continue;
      for (int t = w; t < w + size; t++)
        if (threads[t].waits != WARP || threads[t].site != threads[w].site) return 1;
      if (size < 32) return 2;
      for (int t = w; t < w + size; t++)
        if (threads[t].kind && threads[t].mask != 0xffffffffu) return 5;
      exchange(threads + w);
      for (int t = w; t < w + size; t++) threads[t].waits = READY;
      moved = 1;
    }
    for (int t = 0; t < count; t++) {
      done += threads[t].waits == DONE;
      at_block += threads[t].waits == BLOCK;
      moved |= threads[t].waits == READY;
    }
    if (done == count) return 0;
    if (at_block && at_block + done == count) {
      if (done) return 3;
      for (int t = 0; t < count; t++) threads[t].waits = READY;
    } else if (!moved) return 4;
  }
}

int launch(const uint32_t *grid, const uint32_t *shape, uint64_t *values, int order) {
  size_t stack = 262144, count = shape[0] * shape[1] * shape[2];
  uint32_t random = 1, mode = _mm_getcsr();
  int wrong = 0;
  char *stacks = SYNCHRONOUS ? malloc(count * stack) : 0;
  args = values;
  if (FLUSHED) _mm_setcsr(mode | 0x8040);
  memcpy(ntid, shape, sizeof ntid), memcpy(nctaid, grid, sizeof nctaid);
  for (size_t t = 0; t < count; t++) {
    threads[t].tid[0] = t % ntid[0];
    threads[t].tid[1] = t / ntid[0] % ntid[1];
    threads[t].tid[2] = t / ntid[0] / ntid[1];
  }
  for (ctaid[2] = 0; ctaid[2] < grid[2] && !wrong; ctaid[2]++)
    for (ctaid[1] = 0; ctaid[1] < grid[1] && !wrong; ctaid[1]++)
      for (ctaid[0] = 0; ctaid[0] < grid[0] && !wrong; ctaid[0]++) {
        if (SYNCHRONOUS) wrong = block(count, &random, order, stacks, stack);
        else for (size_t t = 0; t < count; t++) {
          for (int x = 0; x < 3; x++) tid[x] = threads[t].tid[x];
          kernel();
        }
      }
  _mm_setcsr(mode);
  free(stacks);
  return wrong;
}
"""

WRONG = {
    1: "threads of a warp do not meet in one shuffle or warp barrier",
    2: "a shuffle or warp barrier in a block whose last warp is not full",
    3: "a thread ended while others wait at a barrier of the block",
    4: "no thread can go on",
    5: "a shuffle of some threads of a warp alone",
}


def c_source(ptx: str) -> str:
    """The C source of the one kernel in a PTX module."""
    ptx = re.sub(r"//[^\n]*", "", ptx)
    (body,) = re.findall(r"\.entry\s+\w+\(.*?\)[^{]*\{(.*)\}", ptx, flags=re.DOTALL)
    shared = re.findall(r"\.shared\s+\.align\s+\d+\s+\.b8\s+(\w+)\[(\d+)\];", ptx)
    lines = [f"static uint64_t {v}[{-(-int(size) // 8)}];" for v, size in shared]
    lines.append("static void kernel(void) {")
    for kind, letters, count in re.findall(r"\.reg\s+\.(\w+)\s+%(\w+)<(\d+)>;", body):
        lines += [f"  {C_TYPES[kind]} {letters}{n} = 0;" for n in range(int(count))]
    body = re.sub(r"(?m)^\s*\.(reg|shared|pragma)[^;]*;", "", body)
    for name, places in re.findall(r"\$(\w+):\s*\.branchtargets\s+([^;]*);", body):
        to = " ".join(re.findall(r"\$\w+", places))
        body = re.sub(rf"brx\.idx\s+%(\w+),\s*\${name}\s*;", rf"SWITCH \1 {to};", body)
    body = re.sub(r"\$\w+:\s*\.branchtargets[^;]*;", "", body)
    body = re.sub(r"\$(\w+):", r"LABEL \1;", body)
    statements = [" ".join(s.split()) for s in body.split(";")]
    lines += [f"  {_statement(s, n)}" for n, s in enumerate(statements) if s]
    lines.append("}")
    text = "\n".join(lines)
    facts = f"#define SYNCHRONOUS {int('wait_for(' in text or 'shuffle(' in text)}\n"
    facts += f"#define FLUSHED {int('.ftz.' in ptx)}\n"
    return RUNTIME + text + "\n" + facts + LAUNCH


def _statement(line: str, site: int) -> str:
    if line.startswith("LABEL "):
        return f"{line[6:]}:;"
    if line.startswith("SWITCH "):  # of labels by number
        _, number, *labels = line.split()
        cases = " ".join(f"case {k}: goto {label[1:]};" for k, label in enumerate(labels))
        return f"switch ({number}) {{ {cases} }}"
    if line.startswith("@"):
        predicate, rest = line.split(" ", 1)
        test = predicate[1:].replace("%", "")
        return f"if ({test}) {{ {_statement(rest, site)} }}"
    opcode, _, operands = line.partition(" ")
    op, *modes = opcode.split(".")
    words = re.findall(r"\{[^}]*\}|[^\s,]+", operands)
    if op == "bra":
        return f"goto {words[0][1:]};"
    if op == "ret":
        return "return;"
    if op == "bar":
        return f"wait_for({'WARP' if modes[0] == 'warp' else 'BLOCK'}, {site});"
    if op == "shfl":
        to, _, valid = words[0].partition("|")
        given = ", ".join(_value(w, "b32") for w in words[1:])
        call = f"shuffle({site}, '{modes[1][0]}', {given}, &{valid.replace('%', '') or 'ignored'})"
        return _set(to, "b32", call)
    return _assign(op, modes, words)


def _assign(op: str, modes: list[str], words: list[str]) -> str:
    kind = modes[-1]
    T = C_TYPES[kind]
    if op in ("ld", "st") and {"v2", "v4"} & set(modes):  # neighbours, one by one
        single = [m for m in modes if m not in ("v2", "v4")]
        place, group = (words[1], words[0]) if op == "ld" else (words[0], words[1])
        parts = [w.strip() for w in group[1:-1].split(",")]
        places = [f"[{place[1:-1]}@{n * int(kind[1:]) // 8}]" for n in range(len(parts))]
        pairs = zip(parts, places, strict=True)
        return " ".join(_assign(op, single, [x, a] if op == "ld" else [a, x]) for x, a in pairs)
    if op == "st":
        return f"LOAD({T}, {_address(words[0])}) = {_value(words[1], kind)};"
    if op == "ld":
        if modes[0] == "param":
            number = re.search(r"_param_(\d+)\]", words[1])
            assert number is not None
            return _set(words[0], kind, f"LOAD({T}, args + {number[1]})")
        return _set(words[0], kind, f"LOAD({T}, {_address(words[1])})")
    to, *inputs = words
    if op == "mov" and "{" in to + inputs[0]:  # 64 bits and their halves
        if to[0] != "{":
            low, high = (_value(w.strip(), "u32") for w in inputs[0][1:-1].split(","))
            return _set(to, "b64", f"(uint64_t){high} << 32 | {low}")
        whole = _value(inputs[0], "b64")
        halves = zip(to[1:-1].split(","), (whole, f"{whole} >> 32"), strict=True)
        return " ".join(_set(w.strip(), "b32", x) for w, x in halves if w.strip() != "_")
    if op == "cvt":
        return _convert(to, inputs[0], modes)
    if op == "cvta":
        return _set(to, "b64", _value(inputs[0], "b64"))
    if op == "setp":
        assert len(modes) - modes.count("ftz") == 2, modes
        x, y = (_value(w, kind) for w in inputs)
        return _set(to, "pred", COMPARE[modes[0]].format(x, y))
    if op == "selp":
        x, y = (_value(w, kind) for w in inputs[:2])
        return _set(to, kind, f"{_value(inputs[2], 'pred')} ? {x} : {y}")
    if op in ("shl", "shr"):
        bits, x, n = int(kind[1:]), _value(inputs[0], kind), _value(inputs[1], "u32")
        if op == "shl":
            return _set(to, kind, f"{n} < {bits} ? {x} << {n} : 0")
        beyond = f"({x} < 0 ? -1 : 0)" if kind[0] == "s" else "0"
        return _set(to, kind, f"{n} < {bits} ? {x} >> {n} : {beyond}")
    if op == "shf":
        assert modes == ["l", "wrap", "b32"]
        low, high, n = (_value(w, "u32") for w in inputs)
        whole = f"((uint64_t){high} << 32 | {low}) << ({n} & 31) >> 32"
        return _set(to, "u32", f"(uint32_t)({whole})")
    if op == "bfi":
        a, b = (_value(w, kind) for w in inputs[:2])
        at, size = (int(w, 0) for w in inputs[2:])
        mask = f"(((({T})1 << {size}) - 1) << {at})"
        return _set(to, kind, f"({b} & ~{mask}) | (({a} << {at}) & {mask})")
    if op == "mul" and modes[0] == "wide":
        wide = kind[0] + str(2 * int(kind[1:]))
        x, y = (_value(w, kind) for w in inputs)
        return _set(to, wide, f"({C_TYPES[wide]}){x} * {y}")
    if op == "mul" and modes[0] == "hi":
        wide = {"s32": "int64_t", "u32": "uint64_t", "s64": "__int128"}.get(
            kind, "unsigned __int128"
        )
        x, y = (_value(w, kind) for w in inputs)
        return _set(to, kind, f"({T})(({wide}){x} * {y} >> {kind[1:]})")
    assert "hi" not in modes, (op, modes)
    x = [_value(w, kind) for w in inputs]
    if kind[0] == "s" and op in ("add", "sub", "mul", "neg", "mad"):
        unsigned = C_TYPES["u" + kind[1:]]  # signed numbers wrap around, which C does not promise
        x = [f"({unsigned}){y}" for y in x]
    real = {"f32": "f", "f64": ""}.get(kind)
    simple = {
        "mov": "{0}", "neg": "-{0}", "mul": "{0} * {1}", "mad": "{0} * {1} + {2}",
        "not": "!{0}" if kind == "pred" else "~{0}", "rcp": "1 / {0}",
        "rsqrt": f"1 / sqrt{real}({{0}})",
        **{name: f"{{0}} {sign} {{1}}" for name, sign in INFIX.items()},
        "fma": f"fma{real}({{0}}, {{1}}, {{2}})", "sqrt": f"sqrt{real}({{0}})",
        "abs": f"fabs{real}({{0}})",
        "max": f"fmax{real}({{0}}, {{1}})" if real is not None else "({0} > {1} ? {0} : {1})",
        "min": f"fmin{real}({{0}}, {{1}})" if real is not None else "({0} < {1} ? {0} : {1})",
    }  # fmt: skip
    return _set(to, kind, simple[op].format(*x))


def _convert(to: str, word: str, modes: list[str]) -> str:
    *how, new, old = modes
    x = _value(word, old)
    rounding = [m for m in how if m in ("rzi", "rni", "rmi", "rpi")]
    if rounding and new[0] != "f":
        function = {"rzi": "trunc", "rni": "rint", "rmi": "floor", "rpi": "ceil"}[rounding[0]]
        x = f"{function}((double){x})"
    return _set(to, new, f"({C_TYPES[new]}){x}")


def _register(word: str) -> tuple[str, str]:
    match = re.fullmatch(r"%(rd|rs|fd|r|f|p)(\d+)", word)
    assert match is not None, word
    return match[1] + match[2], REGISTERS[match[1]]


def _value(word: str, kind: str) -> str:
    """An operand as a C expression of a type."""
    if special := SPECIAL.match(word):
        return f"{special[1]}[{'xyz'.index(special[2])}]"
    if word[:2] in ("0f", "0d"):
        bits = f"0x{word[2:]}{'u' if word[1] == 'f' else 'ull'}"
        return f"{word[1]}_b({bits})" if kind[0] == "f" else bits
    if not word.startswith("%"):
        if re.fullmatch(r"-?(0x)?[0-9A-Fa-f]+", word):
            return f"(({C_TYPES[kind]}){word}{'ll' if kind[1:] == '64' else ''})"
        return f"((uint64_t)(uintptr_t){word})"
    name, stored = _register(word)
    if stored == kind or "pred" in (stored, kind):
        return name
    real = {"f32": ("f_b", "b_f"), "f64": ("d_b", "b_d")}
    if kind[0] == "f":
        return f"{real[kind][0]}({name})"
    if stored[0] == "f":
        name = f"{real[stored][1]}({name})"
    return f"({C_TYPES[kind]}){name}"


def _set(word: str, kind: str, value: str) -> str:
    name, stored = _register(word)
    if stored[0] == "f" and kind[0] != "f":
        value = f"{'f_b' if stored == 'f32' else 'd_b'}({value})"
    elif kind[0] == "f" and stored[0] != "f":
        value = f"{'b_f' if kind == 'f32' else 'b_d'}({value})"
    elif kind[0] == "s" and stored != "pred":  # sign extension into the register
        value = f"({C_TYPES[kind]})({value})"
    return f"{name} = {value};"


def _address(word: str) -> str:
    place, _, more = word[1:-1].partition("@")
    base, _, offset = place.partition("+")
    return " + ".join([_value(base, "u64"), *(f"({x})" for x in (offset, more) if x)])


def translate(ptx: str, library: Path) -> None:
    """Make a library with the function ``launch`` of a PTX module."""
    source = library.with_suffix(".c")
    source.write_text(c_source(ptx))
    command = ["cc", "-O1", "-march=native", "-ffp-contract=off", "-fwrapv", "-w"]
    command += ["-fno-strict-aliasing", "-shared", "-fPIC"]
    subprocess.run([*command, str(source), "-o", str(library), "-lm"], check=True)


class Emulated:
    """A kernel of a PTX module."""

    def __init__(self, ptx: str, folder: Path):
        library = folder / f"{hashlib.sha256(ptx.encode()).hexdigest()[:16]}.so"
        translate(ptx, library)
        self._launch = ctypes.CDLL(str(library)).launch

    def __call__(self, grid, block, words, order: int) -> None:
        """Run it: parameters as 64-bit words, threads in an order of turns."""
        sizes = (np.array(grid, np.uint32), np.array(block, np.uint32))
        words = np.ascontiguousarray(words)
        wrong = self._launch(*(ctypes.c_void_p(x.ctypes.data) for x in (*sizes, words)), order)
        assert not wrong, WRONG[wrong]


if __name__ == "__main__":
    translate(Path(sys.argv[1]).read_text(), Path(sys.argv[2]))
