#!/usr/bin/env bash
# Writes target/tract/mobilenet_v1.onnx and mobilenet_v2.onnx: see models.py. Installs what that needs below target/tract, too.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/target/tract/venv

if [ ! -x "$venv/bin/pip" ]; then
    mkdir -p "$root/target/tract"
    "${PYTHON:-python3}" -m venv "$venv"
fi
"$venv/bin/python" -m pip install -q --disable-pip-version-check -c "$root/benches/peers/requirements.txt" numpy onnx safetensors
"$venv/bin/python" "$here/models.py" "$root/target/tract"
ls -l "$root"/target/tract/*.onnx
