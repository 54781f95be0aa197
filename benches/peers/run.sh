#!/usr/bin/env bash
# Measures cellc against PyTorch, JAX and ONNX Runtime; `run.sh --help` lists the options.
# Makes its own virtual environment and builds cellc, both under target/.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
target="${CARGO_TARGET_DIR:-$root/target}"
venv="$target/peers/venv"

if [ ! -e "$venv/ready" ] || ! cmp -s "$here/requirements.txt" "$venv/ready"; then
    "${PYTHON:-python3.11}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/ready"
fi
(cd "$root" && cargo build --quiet --release --package cellc)
export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" "$here/compare.py" --cellc "$target/release/cellc" "$@"
