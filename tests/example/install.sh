#!/bin/sh
# Installs lode into a scratch folder and uses it from there: by pkg-config (shared and static), by the CMake
# package, by man. install.sh CMAKE BUILD CC EXAMPLE_FOLDER PAPER CFLAGS
set -e
cmake=$1 build=$2 cc=$3 example=$4 paper=$5 flags=$6
question="What ammonia conversion did foam RC-4 reach?"
rm -rf prefix shared static consumer lib-*
"$cmake" --install "$build" --prefix "$PWD/prefix" >install.log || { cat install.log; exit 1; }
pc=$(dirname "$(find prefix -name lode.pc)")
libdir=$PWD/$(dirname "$pc")
export PKG_CONFIG_PATH="$PWD/$pc"

# $1: how it was linked. The library's answer, checked.
check() {
    "./$1" "$paper" "lib-$1" "$question" >"$1.out"
    grep -q '^title: Ammonia Decomposition' "$1.out"
    grep -q '^pages: 4$' "$1.out"
    grep -q '87\.3' "$1.out"
    grep -q '^\[[0-9]*\] .*, page [0-9]*: "' "$1.out"
    echo "$1: fine"
}

"$cc" -std=c99 -pedantic -Wall -Wextra -Werror $flags "$example/ask.c" $(pkg-config --define-prefix --cflags --libs lode) \
    -Wl,-rpath,"$libdir" -o shared
check shared

# lode as an archive, the system's libraries as shared ones
"$cc" -std=c99 $flags "$example/ask.c" $(pkg-config --define-prefix --cflags lode) \
    $(pkg-config --define-prefix --variable=static_libs lode) -o static
! ldd static | grep liblode
check static

"$cmake" -S "$example/consumer" -B consumer -DCMAKE_PREFIX_PATH="$PWD/prefix" -DSOURCE="$example/ask.c" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" >consumer.log || { cat consumer.log; exit 1; }
"$cmake" --build consumer >>consumer.log || { cat consumer.log; exit 1; }
ln -sf consumer/ask package
check package

prefix/bin/lode --version
test -s prefix/share/man/man1/lode-convert.1
test -s prefix/include/lode/lode.h
if command -v man >/dev/null; then
    LC_ALL=C.UTF-8 MANROFFSEQ= man --warnings -l prefix/share/man/man1/lode-convert.1 2>man.err >/dev/null
    test ! -s man.err || { cat man.err; exit 1; }
fi
