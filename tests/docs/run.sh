#!/bin/sh
# run.sh WORK DOCUMENT... -- COMPILER FLAGS... : each ```cpp block of a document is a whole program; it compiles and runs.
set -eu
work=$1
shift
documents=
while [ "$1" != -- ]; do
    documents="$documents $1"
    shift
done
shift
rm -rf "$work"
mkdir -p "$work"
# shellcheck disable=SC2086
awk -v work="$work" '
    /^```cpp$/ { inside = 1; file = sprintf("%s/block_%02d.cpp", work, ++n); print "#line " FNR + 1 " \"" FILENAME "\"" > file; next }
    /^```$/ { inside = 0 }
    inside { print > file }
' $documents
for block in "$work"/block_*.cpp; do
    [ -f "$block" ] || { echo "no block to compile in$documents"; exit 1; }
    "$@" "$block" -o "$work/program"
    "$work/program"
done
