"""What all tests share: no estimate of the truncation unless a test asks for one, and Ctrl-C.

Linear algebra runs on one thread: matrices are small here, and threads that wait for work on cores
which other tests hold double the processor time of the suite.
"""

import gc
import os
import signal

os.environ.setdefault("WIGNERFLOW_TRUNCATION", "off")
for library in ("OPENBLAS", "MKL", "OMP"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
# a shell starts background jobs with Ctrl-C ignored, and whoever they start inherits that
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """Modules and tests stay: the garbage collector need not look at them again, nor that often."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
