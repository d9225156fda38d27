#!/bin/sh
# refusals.sh PROGRAMS WORK : what the training programs refuse, in a line or two and before they work, that would crash or cost hours.
set -eu
programs=$1
work=$2
rm -rf "$work"
mkdir -p "$work"
cd "$work"
awk 'BEGIN { for (i = 0; i < 12000; ++i) print "line " i " of a text" }' > text

# refuses LINE PROGRAM WORDS...
refuses() {
    expected=$1
    program=$2
    shift 2
    status=0
    "$programs/$program" "$@" > said 2>&1 || status=$?
    [ $status -gt 0 ] && [ $status -lt 128 ] && grep -q -- "$expected" said && ! grep -q "bits per byte" said && [ "$(wc -L < said)" -lt 1000 ] || {
        echo "$program $*: status $status, expected a line about \"$expected\", got:"
        cat said
        exit 1
    }
}

for program in demo compare sweep; do
    for option in steps batch length threads; do
        refuses "$option: 0, expected a number of at least 1" $program --text text --out results --$option 0
    done
    refuses "threads: none, expected a number of at least 1" $program --text text --threads none
done
refuses "no folder .*no to write" compare --text text --out no/results.jsonl
refuses "no folder .*no to write" sweep --text text --out no/results.jsonl
refuses "middle: nan, expected a number above 0" sweep --text text --out results --middle nan
refuses "begins with nobody; they are lora" sweep --text text --out results --only nobody
echo '{"name": "lora"}' > results
refuses "results: line 1 is no result of a run" sweep --text text --out results
refuses "text/run-.*: Not a directory" demo --text text --out text
run=$(sed -n 's/.*text\/\(run-[0-9a-f]*\):.*/\1/p' said)
mkdir -p "again/$run"
echo '{' > "again/$run/base.json"
refuses "base.json is damaged, 2 bytes" demo --text text --out again
refuses "not enough memory" pretrain --text text --out base --width 1000000000 --head-width 250000000
refuses "not enough memory" mistral_block --width 10000000 --hidden 10000000
refuses "text: Not a directory" pretrain --text text --out text
(ulimit -v 4000000 && refuses "only .* of 100000 threads" sweep --text text --out results.jsonl --threads 100000)

"$programs/state_tracking" --steps 1 --batch 1 --samples 1 --validation 1 --length 4 > said
refuses "steps 1 there and 2 here; --run FOLDER" state_tracking --steps 2 --batch 1 --samples 1 --validation 1 --length 4
refuses "no folder .*no to write" state_tracking --steps 1 --run other --out no/results.json
refuses "samples: -1, expected a number of at least 0" state_tracking --samples -1
# What would be ignored.
refuses "size: is for dfa, permutation and cyclic; parity has one of its own" state_tracking --task parity --size 8
refuses "rank: is for --adapter lora, not for hrm" state_tracking --rank 4
for option in states poles; do
    refuses "$option: is for --adapter hrm and hrm-published, not for lora" state_tracking --adapter lora --$option $([ $option = states ] && echo 4 || echo real_signed)
done
for option in width layers heads kv-heads head-width hidden window; do
    refuses "base excludes --$option" state_tracking --base nowhere --$option 2
done
for option in out run base; do refuses "$option: an empty name" state_tracking --$option ""; done
for program in demo compare sweep; do
    for option in out text base; do refuses "$option: an empty name" $program --$option ""; done
done
refuses "--rounds? quickstart: .* takes no options" quickstart --rounds
"$programs/quickstart" --help > said
grep -q "takes no options" said && ! grep -q "error" said || { echo "quickstart --help:"; cat said; exit 1; }
