#!/bin/sh
# lode.h alone, as strict C99 and as C++, every warning an error: header.sh CC CXX LODE_H_FOLDER
set -e
check() {
    printf '#include "lode.h"\n#include "lode.h"\nint main(void) { return lode_version() == 0; }\n' |
        "$@" -pedantic -Wall -Wextra -Werror -I "$folder" -fsyntax-only -
}
folder=$3
check "$1" -x c -std=c99
check "$1" -x c -std=c17
check "$2" -x c++ -std=c++11
check "$2" -x c++ -std=c++17
