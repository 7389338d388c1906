#!/bin/sh
# Make .venv from uv.lock. A machine with nothing but Python and pip gets uv in a folder of its own.
set -eu
python="${PYTHON:-python3}"
if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    tools=.venv-tools
    uv="$tools/bin/uv"
    # Debian's pip refuses to touch its own environment, even for --target, unless told that we mean it.
    [ -x "$uv" ] ||
        "$python" -m pip install --quiet --target "$tools" "uv>=0.13,<0.14" 2>/dev/null ||
        "$python" -m pip install --quiet --break-system-packages --target "$tools" "uv>=0.13,<0.14"
fi
exec "$uv" sync --locked --quiet --python "$python"
