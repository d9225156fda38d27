#!/bin/sh
# Builds hrm::cuda's tests and benchmark on a machine with a GPU, runs them, measures: one JSON, one Markdown table.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$root/build/gpu/results
build=$root/build/gpu/build
deps=$root/build/deps
limit=480
words=

usage() {
    cat <<'EOF'
bench/gpu/run.sh [--out FOLDER] [--deps FOLDER] [--seconds N] [WORD...]
    On a machine with a GPU, CUDA 12.8 or newer, CMake 3.25 and ninja, and no network: builds and runs the device's tests, the
    sanitizers on a few of them, then bench_gpu. All within N seconds (480); each part has its share, a part that fails or
    outlasts it is noted, and the next begins. FOLDER (build/gpu/results) receives
        gpu.json gpu.md     the figures, each beside its roofline; rewritten after every case
        kernels.txt         registers, shared memory and spills of every kernel
        *.log               what each part said
    WORD: only benchmarks whose name contains one of the words. HRM_TORCH_PYTHON names a Python with torch and peft.

bench/gpu/run.sh --pack [FOLDER]
    Copies the headers it needs beyond CUDA, Eigen's and doctest's, from /usr/include into FOLDER (build/deps), some 8 MB.
    Send that folder along with the checkout: --deps finds them there, else they must be in /usr/include.
EOF
}

while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --pack)
            deps=${2:-$deps}
            mkdir -p "$deps/doctest" "$deps/eigen3"
            cp -RL /usr/include/eigen3/Eigen "$deps/eigen3/" && cp -L /usr/include/doctest/doctest.h "$deps/doctest/" || exit 1
            echo "packed into $deps"
            exit 0
            ;;
        --out) out=$2; shift ;;
        --deps) deps=$2; shift ;;
        --seconds) limit=$2; shift ;;
        -*) usage >&2; exit 2 ;;
        *) words="$words $1" ;;
    esac
    shift
done

start=$(date +%s)
left() { echo $((limit - $(date +%s) + start)); }
mkdir -p "$out" "$build"
notes=$out/notes.txt
printf 'commit\t%s\n' "$(git -C "$root" describe --always --dirty 2> /dev/null || echo 'not a checkout')" > "$notes"
status=0

# part NAME SECONDS COMMAND...: runs it for so long at most, keeps what it says in NAME.log and how it ended in the notes.
part() {
    name=$1
    most=$2
    shift 2
    [ "$most" -le "$(left)" ] || most=$(left)
    if [ "$most" -le 0 ]; then
        printf '%s\tleft out: no time was left\n' "$name" >> "$notes"
        return 1
    fi
    from=$(date +%s)
    timeout -k 5 "$most" "$@" > "$out/$name.log" 2>&1
    code=$?
    case $code in
        0) said=passed ;;
        124 | 137) said="failed: cut off after $most s" ;;
        *) said="failed: exit status $code" ;;
    esac
    last=$(grep -v '^ *$' "$out/$name.log" | grep -e '^\[doctest\] assertions' -e SKIPPED -e 'ERROR SUMMARY' | tail -2 | tr '\n' ' ')
    printf '%s\t%s in %s s %s\n' "$name" "$said" "$(($(date +%s) - from))" "$last" >> "$notes"
    tail -1 "$notes"
    [ "$code" = 0 ] || { status=1; tail -5 "$out/$name.log"; }
    return "$code"
}

arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | head -1 | tr -d '. ')
case $arch in *[!0-9]* | '') arch=90 ;; esac
part configure $((limit / 8)) cmake -S "$root/bench/gpu" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CUDA_ARCHITECTURES=$arch" "-DHRM_DEPS=$deps"
part build $((limit / 2)) cmake --build "$build"
sh "$root/tests/cuda/kernels.sh" "$build" > "$out/kernels.txt" || status=1
printf 'kernels\t%s\n' "$(awk 'NR > 1 { ++n; if ($2 > r) r = $2; s += $5 } END { print n + 0, "kernels, at most", r + 0, "registers,", s + 0, "bytes of spills" }' "$out/kernels.txt")" >> "$notes"

device=$build/tests/test_device
if [ -x "$device" ]; then
    part tests $((limit / 5)) "$device"
    sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2> /dev/null)
    for tool in memcheck racecheck; do
        # The smallest tests: a sanitizer is some hundred times slower.
        if [ -n "$sanitizer" ]; then
            part "$tool" $((limit / 12)) "$sanitizer" --tool "$tool" --error-exitcode 9 "$device" --test-case='numbers go*,a captured graph*,states in bf16*,small adapters*,decoding by*,activations that*'
        else
            printf '%s\tleft out: no compute-sanitizer\n' "$tool" >> "$notes"
        fi
    done
fi
# What there is of notes so far goes into the header; from here on bench_gpu writes.
most=$(($(left) - 15))
if [ -x "$build/bench_gpu" ]; then
    # shellcheck disable=SC2086
    part measurements "$(left)" "$build/bench_gpu" --out "$out" --notes "$notes" --seconds "$most" $words
fi
cat "$out/gpu.md" 2> /dev/null
exit $status
