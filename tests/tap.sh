#!/bin/sh
# Runs a cmocka program whose cases may be skipped: cmocka writes "not ok N # SKIP name" then, which readers of TAP count as a
# failure.
out=$(mktemp) || exit 99
"$@" >"$out"
code=$?
sed 's/^not ok \([0-9]*\) # SKIP \(.*\)$/ok \1 - \2 # SKIP/' "$out"
rm -f "$out"
exit $code
