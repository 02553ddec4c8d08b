#!/bin/sh
# `make bench-gpu` on a machine without a network: an NVIDIA driver (CUDA 12 or 13) and Python only.
#
#   benchmarks/carry.sh pack [3.12]  here: wheels of everything, for Linux on x86-64 and that Python
#   benchmarks/carry.sh run [...]    there, in a copy of this folder: installs them and measures;
#                                    what follows goes to wignerflow.bench.gpu (--quick, --dry)
set -eu
cd "$(dirname "$0")/.."
wheels=benchmarks/wheels

case "${1:-}" in
pack)
    version=${2:-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')}
    rm -rf "$wheels"
    python3 -m pip --disable-pip-version-check download --quiet --require-hashes \
        --only-binary :all: --python-version "$version" --platform manylinux_2_28_x86_64 \
        --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 --platform any \
        --dest "$wheels" -r requirements/gpu.lock
    echo "$version" >"$wheels/python"
    du -sh "$wheels"
    ;;
run)
    shift
    python=python$(cat "$wheels/python")
    command -v "$python" >/dev/null || { echo "The wheels are for $python, which is not here." >&2; exit 1; }
    [ -x .venv-bare/bin/python ] || "$python" -m venv .venv-bare
    .venv-bare/bin/python -m pip --disable-pip-version-check install --quiet --no-index \
        --find-links "$wheels" --require-hashes -r requirements/gpu.lock
    WIGNERFLOW_CACHE_DIR=$PWD/.venv-bare/cache PYTHONPATH=$PWD exec .venv-bare/bin/python \
        -m wignerflow.bench.gpu --json benchmarks/results-gpu.json "$@"
    ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
