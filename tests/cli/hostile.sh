#!/bin/sh
# Hostile and malformed inputs: make_hostile.py makes them and judges the command on each. TAP.
# $1: the command. $3…: options for the judge, such as --timeout 60 for a sanitizer's build.
REEL=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
HERE=$(cd "$(dirname "$0")" && pwd)
echo 1..1
python=
for p in ${REEL_PYTHON:-} python3 python3.11 /usr/bin/python3; do
    command -v "$p" >/dev/null 2>&1 && "$p" -c 'import numpy' 2>/dev/null && python=$p && break
done
if [ -z "$python" ]; then
    echo "ok 1 - hostile inputs # SKIP no python3 with numpy"
    exit 0
fi
if ! command -v ffmpeg >/dev/null 2>&1; then
    echo "ok 1 - hostile inputs # SKIP no ffmpeg"
    exit 0
fi
T=$(mktemp -d "${TMPDIR:-/tmp}/reel_hostile.XXXXXX") || exit 1
trap 'chmod -R u+w "$T"; rm -rf "$T"' EXIT
"$python" "$HERE/make_hostile.py" make "$T/set" --canary_port $((20000 + $$ % 20000)) >"$T/made" 2>&1 || { sed 's/^/# /' "$T/made"; echo "not ok 1 - the set cannot be made"; exit 1; }
shift 2
if "$python" "$HERE/make_hostile.py" run "$T/set" --reel "$REEL" "$@" >"$T/judged" 2>&1; then
    echo "ok 1 - hostile inputs"
else
    echo "not ok 1 - hostile inputs"
fi
grep -v '^ok' "$T/judged" | sed 's/^/# /'
