#!/bin/sh
# reduce.sh PROGRAM DATA WORK : the program on a small system in every format, by every method, and what it refuses in one line.
# DATA/chain, DATA/chain.mat and the numbers of SciPy below: make_reduce.py.
set -eu
program=$1
data=$2
work=$3
rm -rf "$work"
mkdir -p "$work"

fail() {
    echo "$1, got:"
    cat "$work/said"
    exit 1
}
# runs WORDS...: must succeed
runs() { "$program" "$@" > "$work/said" 2>&1 || fail "reduce $*"; }
# refuses LINE WORDS...: one line about it, a status that is no crash
refuses() {
    expected=$1
    shift
    status=0
    "$program" "$@" > "$work/said" 2>&1 || status=$?
    [ $status -gt 0 ] && [ $status -lt 128 ] && grep -q -- "$expected" "$work/said" && [ "$(wc -l < "$work/said")" -le 2 ] ||
        fail "reduce $*: status $status, expected a line about \"$expected\""
}
# value FILE NAME: of a number in JSON
value() { sed -n "s/^ \"$2\": \([^,]*\),*\$/\1/p" "$1"; }
# sigma FILE: the values, a line each
sigma() { sed -n '/^ "sigma"/,/\]/p' "$1" | tr -d ' ,' | grep -E '^[0-9.]+(e.*)?$'; }
# close A B TOLERANCE: relative
close() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(b != 0 && d <= t * (b < 0 ? -b : b)) }'; }

matlab=yes
"$program" "$data/chain.mat" > "$work/said" 2>&1 || { grep -q "libmatio-dev" "$work/said" && matlab=no || fail "a MATLAB file"; }

runs
grep -q "certified" "$work/said" || fail "a made system has a certificate"

# Against SciPy, ten digits printed there.
runs "$data/chain" --continuous --rank 6 --json "$work/chain.json" --report "$work/chain.html"
sigma "$work/chain.json" > "$work/sigma"
k=0
for expected in 7.7878288094e-01 4.7576591934e-01 4.5042613529e-01 3.7376634495e-01 3.2487496001e-01 2.5021411028e-01; do
    k=$((k + 1))
    close "$(sed -n ${k}p "$work/sigma")" $expected 1e-9 || fail "sigma $k is not $expected"
done
close "$(value "$work/chain.json" h2_norm)" 7.4575160690e-01 1e-9 || fail "the H2 norm"
close "$(value "$work/chain.json" hinf_norm)" 1.16367370e+00 2e-8 || fail "the H-infinity norm"
grep -q "<svg" "$work/chain.html" && ! grep -q "http" "$work/chain.html" || fail "the report holds its own curves"

# One reduction into every format, each read back: the same bits, so the same sigma to the last digit.
formats="small small.safetensors"
[ $matlab = no ] || formats="$formats small.mat"
for to in $formats; do
    runs "$data/chain" --continuous --rank 6 --out "$work/$to"
    runs "$work/$to" --rank 2 --json "$work/$to.json"
    sigma "$work/$to.json" > "$work/$to.sigma"
    cmp "$work/small.sigma" "$work/$to.sigma" || fail "$to holds another system"
done
runs "$data/chain/A.mtx" "$data/chain/B.mtx" "$data/chain/C.mtx" --continuous --rank 6 --json "$work/files.json"
sigma "$work/files.json" | cmp - "$work/sigma" || fail "files one by one"
[ $matlab = no ] || { runs "$data/chain.mat" --rank 6 --json "$work/mat.json"; sigma "$work/mat.json" | cmp - "$work/sigma" || fail "the same as .mat"; }

# Every method, in both times: an error below its bound.
for time in --continuous --discrete; do
    rm -rf "$work/g"
    mkdir "$work/g"
    cp "$data"/chain/[BC].mtx "$work/g"
    if [ $time = --continuous ]; then cp "$data/chain/A.mtx" "$work/g"
    else awk '/^%/ || n++ == 0 { print; next } { print $1, $2, $3 * 0.3 }' "$data/chain/A.mtx" > "$work/g/A.mtx"; fi  # modulus 0.6
    for method in balance singular-perturbation hankel-norm modal h2; do
        runs "$work/g" $time --method $method --rank 6 --json "$work/m.json" --out "$work/m" --tolerance 1e-9
        error=$(value "$work/m.json" hinf_error)
        bound=$(value "$work/m.json" bound)
        [ $method = h2 ] || awk -v e="$error" -v b="$bound" 'BEGIN { exit !(e > 0 && e <= b * 1.0000001) }' || fail "$method $time: error $error, bound $bound"
    done
done
runs "$data/chain" --continuous --budget 0.5 --basis balancing-free --json "$work/m.json"
awk -v b="$(value "$work/m.json" bound)" 'BEGIN { exit !(b > 0 && b <= 0.5) }' || fail "a budget of 0.5"
runs "$data/chain" --continuous --budget 1e-9 --rank 2
grep -q "rank 2 caps the order: the budget of 1.0000e-09 is not kept" "$work/said" || fail "a budget that --rank does not allow"
runs "$data/chain" --continuous --energy 0.9 --gap --measure never

# An adapter file: its sigma against SciPy, the LoRA beside it copied, the result an adapter file again.
runs "$data/adapters.safetensors" --rank 2 --json "$work/adapters.json" --out "$work/adapters.safetensors"
grep -q "lora.*no states: copied" "$work/said" && grep -q "4 states, 2 kept; 45 parameters, 27 after" "$work/said" || fail "an adapter file"
k=0
for expected in 8.9086037203e-01 4.2319030243e-01 3.4671240074e-01 1.3184738482e-01; do
    k=$((k + 1))
    close "$(sed -n '/"sigma"/,/\]/p' "$work/adapters.json" | sed -n "$((k + 1))s/[ ,]//gp")" $expected 1e-9 || fail "the adapter's sigma $k is not $expected"
done
awk -v e="$(sed -n 's/ *"hinf_error": \(.*\),/\1/p' "$work/adapters.json")" -v b="$(sed -n 's/ *"bound": \(.*\),/\1/p' "$work/adapters.json")" \
    'BEGIN { exit !(e > 0 && e <= b) }' || fail "the adapter's error and bound"
runs "$data/adapters.safetensors" --total-rank 3
grep -q "4 states, 3 kept" "$work/said" || fail "three states in all"
runs "$data/adapters.safetensors" --total-budget 100
grep -q "4 states, 0 kept" "$work/said" || fail "a total budget that needs no states"
refuses "are for adapters" "$data/chain" --continuous --total-rank 3
runs "$work/adapters.safetensors" --rank 1
grep -q "2 states, 1 kept" "$work/said" || fail "a reduced adapter file, reduced again"
refuses "adapters have --json" "$data/adapters.safetensors" --report "$work/a.html"
refuses "written as .safetensors, not as" "$data/adapters.safetensors" --out "$work/a.mat"
refuses "--continuous is for systems in files" "$data/adapters.safetensors" --continuous
refuses "--continuous is for systems in files" --continuous
refuses "excludes" "$data/chain" --continuous --states 4
refuses "by --method balance" "$data/adapters.safetensors" --method modal

# An integrator and an unstable pole are kept, or refused.
mkdir "$work/u"
printf '%%%%MatrixMarket matrix array real general\n3 3\n-1 0 0\n0 0 0\n0 0 2\n' > "$work/u/A.mtx"
printf '%%%%MatrixMarket matrix array real general\n3 1\n1 1 1\n' > "$work/u/B.mtx"
printf '%%%%MatrixMarket matrix array real general\n1 3\n1 1 1\n' > "$work/u/C.mtx"
runs "$work/u" --continuous --rank 0
grep -q "2 unstable or integrating poles split off and kept" "$work/said" || fail "unstable poles are kept"
refuses "2 of 3 poles are unstable" "$work/u" --continuous --refuse-unstable

refuses "does not say whether time" "$data/chain"
refuses "both given" "$data/chain" --continuous --discrete
for option in out report json; do refuses "$option: an empty name" "$data/chain" --continuous --$option ""; done
refuses "No such file" "$work/nothing.safetensors"
refuses "holds no A.mtx" "$work" --continuous
refuses "no matrix C" "$data/chain/A.mtx" "$data/chain/B.mtx" --continuous
printf '%%%%MatrixMarket matrix array real general\n2 1\n1\n1\n' > "$work/two.B.mtx"
refuses "B is 2x1, expected 16x1" "$data/chain/A.mtx" "$work/two.B.mtx" "$data/chain/C.mtx" --continuous
printf '%%%%MatrixMarket matrix array real general\n1 16\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n' > "$work/row.B.mtx"
refuses "B is 1x16, expected 16x1; transpose it?" "$data/chain/A.mtx" "$work/row.B.mtx" "$data/chain/C.mtx" --continuous
printf '%%%%MatrixMarket matrix array real general\n3 1\n1\nnan\n1\n' > "$work/u/B.mtx"
refuses "B holds NaN" "$work/u" --continuous
printf '%%%%MatrixMarket matrix coordinate real general\n9000 9000 1\n1 1 1\n' > "$work/u/A.mtx"
refuses "9000 states, at most 3000" "$work/u" --continuous
printf '%%%%MatrixMarket matrix coordinate real general\n3 3 5\n1 1 1\n' > "$work/u/A.mtx"
refuses "5 entries announced, and 6 bytes follow" "$work/u" --continuous
gzip -c "$data/chain/A.mtx" > "$work/A.mtx.gz"
refuses "gunzip it first" "$work/A.mtx.gz" "$data/chain/B.mtx" "$data/chain/C.mtx" --continuous
cp "$data/chain/A.mtx" "$work/A.text"
refuses "no matrix B among" "$work/A.text" --continuous
refuses "rank: -3, expected a number of at least 0" "$data/chain" --continuous --rank -3
refuses "method: simple, expected one of balance, h2, hankel-norm, modal, singular-perturbation" "$data/chain" --method simple
refuses "asked for twice" "$data/chain" --continuous --json "$work/one" --report "$work/./one"
[ $matlab = no ] || { cp "$data/chain.mat" "$work/CHAIN.MAT" && runs "$work/CHAIN.MAT" --rank 6; }
"$program" "$data/chain" --continuous --json /dev/stdout | grep -q '"states": 16' || fail "numbers on the terminal"
echo earlier > "$work/log"
"$program" "$data/chain" --continuous --json /dev/stdout >> "$work/log"
grep -q earlier "$work/log" && grep -q '"states": 16' "$work/log" || fail "numbers at the end of a log"
refuses "is the input" "$data/chain" --continuous --out "$data/chain"
refuses "no folder" "$data/chain" --continuous --out "$work/no/small.safetensors"
refuses "no folder" "$data/chain" --continuous --report "$work/no/report.html"
refuses "is no folder" "$data/chain" --continuous --out "$work/said"
refuses "modal truncation knows" "$data/chain" --continuous --method modal --budget 1
refuses "Range\|range\|not in" "$data/chain" --continuous --tolerance 2
