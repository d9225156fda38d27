#!/bin/sh
# Every public header is reached from an umbrella, has a test of the same path, and holds one idea (400 lines at most).
#     mirror.sh ROOT      names each that does not
set -eu
cd "$1"
bad=0
complain() {
    echo "$1"
    bad=1
}
for header in $(cd include && find hrm -mindepth 2 -name '*.hpp' -o -name '*.cuh' | sort); do
    [ "$(wc -l < "include/$header")" -le 400 ] || complain "include/$header has more than 400 lines"
    case $header in */detail/*) continue ;; esac
    grep -qsF "#include <$header>" include/hrm/hrm.hpp include/hrm/io.hpp include/hrm/cuda.hpp || complain "no umbrella includes <$header>"
    test=tests/${header#hrm/}
    test=${test%.*}
    [ -f "$test.cpp" ] || [ -f "$test.cu" ] || complain "include/$header has no test $test.cpp"
done
exit $bad
