#!/bin/sh
# The checks catch what they are there for: each of these small trees is wrong in one way, the first in none.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

fresh() {
    rm -rf "$tree"
    mkdir -p "$tree/include/hrm/core" "$tree/include/hrm/scan/detail" "$tree/tests/core" "$tree/tests/scan"
    echo '#include <hrm/core/view.hpp>' > "$tree/include/hrm/hrm.hpp"
    echo '#include <hrm/scan/plan.hpp>' >> "$tree/include/hrm/hrm.hpp"
    echo '#include <vector>' > "$tree/include/hrm/core/view.hpp"
    echo '#include <hrm/core/view.hpp>' > "$tree/include/hrm/scan/plan.hpp"
    echo '#include <hrm/scan/plan.hpp>' > "$tree/include/hrm/scan/detail/engine.hpp"
    touch "$tree/tests/core/view.cpp" "$tree/tests/scan/plan.cpp"
}
passes() { sh "$here/$1" "$tree" || { echo "$1 fails a good tree"; exit 1; }; }
catches() {  # catches SCRIPT MESSAGE
    if said=$(sh "$here/$1" "$tree"); then
        echo "$1 missed: $2"
        exit 1
    fi
    case $said in *"$2"*) ;; *) echo "$1 said \"$said\", expected \"$2\""; exit 1 ;; esac
}

fresh
passes floors.sh
passes mirror.sh

echo '  #  include <hrm/scan/plan.hpp>' >> "$tree/include/hrm/core/view.hpp"
catches floors.sh 'view.hpp:2: core does not stand on scan: hrm/scan/plan.hpp'
fresh
echo '#include <hrm/hrm.hpp>' >> "$tree/include/hrm/scan/detail/engine.hpp"
catches floors.sh 'engine.hpp:2: scan includes the umbrella hrm/hrm.hpp'
fresh
echo '#include "view.hpp"' >> "$tree/include/hrm/core/view.hpp"
catches floors.sh 'is included as <hrm/...>'
fresh
mkdir "$tree/include/hrm/attic" && touch "$tree/include/hrm/attic/old.hpp" && echo > "$tree/include/hrm/attic/old.hpp"
catches floors.sh 'attic is not a floor'
fresh
rm "$tree/tests/scan/plan.cpp"
catches mirror.sh 'include/hrm/scan/plan.hpp has no test tests/scan/plan.cpp'
fresh
echo > "$tree/include/hrm/core/extra.hpp" && touch "$tree/tests/core/extra.cpp"
catches mirror.sh 'no umbrella includes <hrm/core/extra.hpp>'
fresh
yes '//' | head -401 > "$tree/include/hrm/core/view.hpp"
catches mirror.sh 'view.hpp has more than 400 lines'

# What ptxas says of a kernel (tests/cuda/kernels.sh).
report() {  # report SPILLS
    echo "ptxas info    : Compiling entry function '_Z4workPf' for 'sm_90'
ptxas info    : Function properties for _Z4workPf
    16 bytes stack frame, $1 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 16 bytes cumulative stack size, 8192 bytes smem" > "$tree/work.cu.o.resources"
}
fresh
catches ../cuda/kernels.sh 'no kernel was reported'
report 0
case $(sh "$here/../cuda/kernels.sh" "$tree") in
    *'sm_90          40    8192      16       0  work') ;;
    *) echo "kernels.sh misread a report"; exit 1 ;;
esac
report 4
catches ../cuda/kernels.sh 'a kernel spills registers'
