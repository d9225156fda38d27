#!/bin/sh
# Which floor may stand on which, read from the #include lines.
#     floors.sh ROOT      names each climb and fails if there is one
set -eu
cd "$1"
find include/hrm -type f | sort | xargs awk '
BEGIN {
    below["core"] = "core"
    below["linalg"] = "core linalg"
    below["fourier"] = "core linalg fourier"
    below["systems"] = "core linalg systems"
    below["reduction"] = "core linalg systems fourier reduction"
    below["scan"] = "core linalg systems fourier scan"
    below["adapter"] = "core linalg systems fourier reduction scan adapter"
    below["model"] = below["adapter"] " model"
    below["train"] = below["model"] " train"
    below["io"] = below["train"] " io"
    below["cuda"] = below["train"] " cuda"
}
function complain(what) { print FILENAME ":" FNR ": " what; bad = 1 }

FNR == 1 {
    split(FILENAME, part, "/")
    floor = part[3]
    umbrella = floor ~ /\.hpp$/
    if (!umbrella && !(floor in below)) complain(floor " is not a floor")
}
/^[ \t]*#[ \t]*include[ \t]*"/ { complain("a header of ours is included as <hrm/...>") }
/^[ \t]*#[ \t]*include[ \t]*<hrm\// && !umbrella {
    sub(/^[^<]*</, "")
    sub(/>.*/, "")
    split($0, part, "/")
    if ($0 == "hrm/version.hpp") next
    if (part[2] ~ /\.hpp$/) complain(floor " includes the umbrella " $0)
    else if (!index(" " below[floor] " ", " " part[2] " ")) complain(floor " does not stand on " part[2] ": " $0)
}
END { exit bad }
'
