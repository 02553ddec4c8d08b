#!/usr/bin/env bash
# A newcomer's first five minutes: from an empty folder to the first model of docs/start.md run in a notebook.
#   benchmarks/newcomer.sh [plain | pip | uv]
# pip (the default) is the way of docs/start.md; plain compiles every module while installing; uv must be on the PATH.
# The wheel is built from this checkout before the clock starts. Nothing is taken from pip's or uv's cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
way=${1:-pip} limit=300
case $way in plain | pip | uv) ;; *) echo "the way must be plain, pip or uv, but was '$way'" >&2; exit 2 ;; esac
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$PWD
"$python" -m pip --disable-pip-version-check wheel --quiet --no-deps -w "$work/wheel" . ||
    { echo "the wheel cannot be built" >&2; exit 1; }

"$python" - "$root/docs/start.md" "$work/first.ipynb" <<'PY'
import json, re, sys
blocks = re.findall(r"```python\n(.*?)```", open(sys.argv[1], encoding="utf-8").read(), re.S)
cells = [{"cell_type": "code", "id": f"c{k}", "metadata": {}, "execution_count": None, "outputs": [], "source": text}
         for k, text in enumerate([*blocks[:1], "result.plot();", "model"])]
kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
json.dump({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, open(sys.argv[2], "w"))
PY

cd "$work"
export WIGNERFLOW_CACHE_DIR=$work/kernels TIMEFORMAT='%R s (CPU %U + %S s)'
step() { printf '%-24s' "$1"; shift; { time "$@" > log 2>&1; } 2>&1 || { cat log; exit 1; }; }
began=$SECONDS
if [ "$way" = uv ]; then
    step "environment" "$python" -m venv --without-pip env
    step "install" uv pip install --quiet --no-cache --python env/bin/python wheel/*.whl notebook
else
    step "environment" "$python" -m venv env
    compile=$([ "$way" = pip ] && echo --no-compile || true)
    step "install" env/bin/pip --disable-pip-version-check install --quiet --no-cache-dir $compile wheel/*.whl notebook
fi
step "notebook server starts" timeout 60 env/bin/python -c '
import subprocess, sys, urllib.request, time
port = "8931"
server = subprocess.Popen([sys.executable, "-m", "notebook", "--no-browser", "--allow-root", "--port", port, "--ServerApp.port_retries=0"])
try:
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/tree", timeout=5).read()
            break
        except OSError:
            if server.poll() is not None: raise
            time.sleep(0.1)
finally:
    server.terminate(); server.wait()
'
step "first model, with figure" env/bin/python -m nbconvert --to notebook --execute --inplace first.ipynb
"$python" - first.ipynb <<'PY'
import json, sys
outputs = [o for c in json.load(open(sys.argv[1]))["cells"] for o in c["outputs"]]
kinds = {kind for o in outputs for kind in o.get("data", ())}
assert not any(o["output_type"] == "error" for o in outputs) and {"image/png", "text/html"} <= kinds, kinds
PY
took=$((SECONDS - began))
echo "$way: $took s in all (asked: $limit)"
test "$took" -le "$limit"
