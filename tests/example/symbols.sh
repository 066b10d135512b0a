#!/bin/sh
# liblode.so exports what lode.h declares, all of it and nothing else: symbols.sh LIBLODE.SO LODE.H
set -e
# a declaration begins with LODE_API; its name may stand on that line only
sed -n 's/^LODE_API .*[ *]\(lode_[a-z0-9_]*\)(.*/\1/p' "$2" | sort -u >declared
nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sort -u >exported
diff declared exported
test "$(wc -l <exported)" -gt 50
test "$(grep -c '^LODE_API' "$2")" = "$(wc -l <declared)"
