#!/bin/sh
# The CUDA toolkit's wheels into DIR (default: lode/cuda in the user's cache), where the build looks for nvcc:
# fetch.sh [DIR]. Names, versions and hashes: toolkit.txt. What is there already is not fetched again.
set -e
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/lode/cuda}
if [ -f "$dir/done" ] && cmp -s "$here/toolkit.txt" "$dir/done"; then
    exit 0
fi
if [ "$(uname -m)" != x86_64 ]; then
    echo "no wheels are pinned for $(uname -m)" >&2
    exit 1
fi
rm -rf "$dir.part"
mkdir -p "$dir.part/wheels"
python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    -r "$here/toolkit.txt" -d "$dir.part/wheels"
for wheel in "$dir.part/wheels"/*.whl; do
    python3 -m zipfile -e "$wheel" "$dir.part"
done
rm -rf "$dir.part/wheels"
# wheels hold no links, and unpacking them sets no modes
root=$dir.part/nvidia/cu13
chmod +x "$root"/bin/* "$root"/nvvm/bin/*
[ -e "$root/lib64" ] || ln -s lib "$root/lib64"
cp "$here/toolkit.txt" "$dir.part/done"
rm -rf "$dir"
mv "$dir.part" "$dir"
