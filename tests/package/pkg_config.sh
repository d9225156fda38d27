#!/bin/sh
# pkg_config.sh TREE WORK COMPILER : a consumer that knows only pkg-config.
set -eu
export PKG_CONFIG_PATH="$1/share/pkgconfig"
mkdir -p "$2"
# shellcheck disable=SC2046
"$3" -std=c++20 "$(dirname "$0")/consumer/main.cpp" $(pkg-config --cflags --libs hrm) -o "$2/consumer"
"$2/consumer"
