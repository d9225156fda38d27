#!/bin/sh
# pretrain.sh PROGRAM WORK : a run of two steps, and what the program refuses in one line instead of crashing or going on.
set -eu
program=$1
work=$2
rm -rf "$work"
mkdir -p "$work/unwritable/log.jsonl"
awk 'BEGIN { for (i = 0; i < 300; ++i) print "line " i }' > "$work/text"
awk 'BEGIN { for (i = 0; i < 300; ++i) print "Line " i }' > "$work/other"  # as many bytes
printf 'text\000 and a zero byte, and more than enough of it to be cut in two' > "$work/binary"

# pretrain TEXT RUN OPTION...
pretrain() {
    text=$1
    run=$2
    shift 2
    "$program" --text "$work/$text" --run "$work/$run" --out "$work/out" --width 8 --layers 1 --hidden 8 --heads 1 \
        --kv-heads 1 --head-width 8 --steps 2 "$@" > "$work/said" 2>&1
}
fail() {
    echo "$1, got:"
    cat "$work/said"
    exit 1
}
# refuses LINE TEXT RUN OPTION...
refuses() {
    expected=$1
    shift
    status=0
    pretrain "$@" || status=$?
    [ $status -gt 0 ] && [ $status -lt 128 ] && grep -q -- "$expected" "$work/said" ||
        fail "pretrain $*: status $status, expected a line about \"$expected\""
}

pretrain text run --length 16 --threads 1 || fail "a run of two steps"
pretrain text run --length 16 --threads 2 || fail "a finished run goes on from its end"
refuses "is of another run: text .* there and .* here" other run --length 16
refuses "is of another run: length 16 there and 17 here" text run --length 17
refuses "zero byte at 4" binary new
refuses "validate-every" text new --validate-every 0
refuses "batch: 0, expected" text new --batch 0
refuses "log.jsonl" text unwritable --length 16
