"""Mutants of a file read in a child process: a crash of a C library would be seen there, and memory
and time are limited.

A reader is source text that defines ``mutate(data, rng)``, the bytes of a mutant; ``read``, what
reads such bytes; ``Refusal``, the exceptions that refuse them; and ``GIB`` of memory to live in.
Time is processor time: a busy machine makes no mutant hang.
"""

import shutil
import subprocess
import sys
import tempfile

LOOP = r"""
import random, resource, signal, sys
from pathlib import Path

source, first, stop = Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (GIB * 2**30, GIB * 2**30))
accepted = refused = 0
for seed in range(first, stop):
    data = mutate(source, random.Random(seed))
    print(seed, file=sys.stderr, flush=True)
    signal.setitimer(signal.ITIMER_PROF, 20)
    try:
        result = read(data)
    except Refusal as error:
        assert len(str(error)) < 20_000
        refused += 1
    else:
        repr(result)
        accepted += 1
signal.setitimer(signal.ITIMER_PROF, 0)
print(accepted, refused)
"""


def survive(reader, path, first, stop):
    """Read mutants number first to stop of a file; (accepted, refused)."""
    command = [sys.executable, "-c", reader + LOOP, str(path), str(first), str(stop)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, check=False)
    if done.returncode:
        kept = shutil.copy(path, tempfile.mkdtemp(prefix="wignerflow-attack-"))
        said = done.stderr[-1500:]
        raise AssertionError(f"exit code {done.returncode} from a mutant of {kept}, {said}")
    accepted, refused = map(int, done.stdout.split())
    return accepted, refused


def survive_some(reader, files, number):
    """The first mutants of every file: some are accepted, some refused."""
    for path in files:
        accepted, refused = survive(reader, path, 0, number)
        assert accepted > 5 and refused > 5


def survive_many(reader, files, part):
    """Ten parts of 5000 mutants of each of two files, none of them among the first."""
    for k, path in enumerate(files):
        start = 1000 + 10_000 * part + 5000 * k
        survive(reader, path, start, start + 5000)
