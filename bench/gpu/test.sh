#!/bin/sh
# test.sh BENCH_GPU FOLDER: what it says of itself, and what it writes where there is no device.
set -eu
program=$1
folder=$2
rm -rf "$folder"
mkdir -p "$folder"
"$program" --help | grep -q -- '--seconds N'
"$program" --list | grep -q '^adapter 8192'
if "$program" --no-such-option > /dev/null 2>&1; then
    echo "bench_gpu took an option it does not have"
    exit 1
fi
CUDA_VISIBLE_DEVICES='' "$program" --out "$folder" | grep -q '^SKIPPED'
grep -q '"what": "none: no CUDA device"' "$folder/gpu.json"
grep -q '| measurements | none: no CUDA device |' "$folder/gpu.md"
if CUDA_VISIBLE_DEVICES='' "$program" --out "$folder/missing" > /dev/null 2>&1; then
    echo "bench_gpu wrote into a folder that is not there"
    exit 1
fi
