#!/bin/sh
# kernels.sh FOLDER: what ptxas said of every kernel whose object lies under FOLDER (save_report.sh wrote it down), one table.
# Fails where a kernel spills registers, or where there is none. Shared memory: without what a launch asks for.
set -eu
find "$1" -name '*.o.resources' | sort | xargs cat /dev/null | c++filt | awk '
function field(unit,   at) {  # the number before `unit` in this line, or 0
    at = match($0, "[0-9]+ " unit)
    return at ? substr($0, at) + 0 : 0
}
# run_indices and run_blocks say nothing: what they run does; its namespaces neither.
function name(text) {
    sub(/^void /, "", text)
    if (match(text, /run_(indices|blocks)</)) {
        text = substr(text, RSTART + RLENGTH)
        sub(/>\(.*$/, "", text)
    } else sub(/\(.*$/, "", text)
    gsub(/hrm::|detail::|, cuda_device/, "", text)
    gsub(/ +>/, ">", text)
    sub(/ +$/, "", text)
    return text
}
/Compiling entry function/ {
    entry = $0
    sub(/^[^\047]*\047/, "", entry)
    arch = entry
    sub(/\047 for.*$/, "", entry)
    sub(/^.*\047 for \047/, "", arch)
    sub(/\047.*$/, "", arch)
    spills = stack = 0
    next
}
/bytes stack frame/ { stack += field("bytes stack frame"); spills += field("bytes spill stores") + field("bytes spill loads") }
/Used [0-9]+ registers/ {
    match($0, /Used [0-9]+/)
    registers = substr($0, RSTART + 5, RLENGTH - 5)
    row = sprintf("%-7s %9d %7d %7d %7d  %s", arch, registers, field("bytes smem"), stack, spills, name(entry))
    if (row in seen) next
    seen[row] = 1
    print row | "sort -k6,6 -k1,1"
    ++count
    if (spills > 0) bad = 1
}
BEGIN { printf "%-7s %9s %7s %7s %7s  %s\n", "arch", "registers", "shared", "stack", "spills", "kernel"; fflush() }
END {
    close("sort -k6,6 -k1,1")
    if (!count) { print "no kernel was reported"; exit 1 }
    if (bad) { print "a kernel spills registers"; exit 1 }
}'
