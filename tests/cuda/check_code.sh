#!/bin/sh
# Reads what nvcc made of the kernels: check_code.sh LIST CUOBJDUMP OBJECT...
#
# LIST is engine/cuda/hot.txt. Beside each OBJECT lies OBJECT.log, what ptxas -v said of it: registers and spills. The
# instructions are read from the object by cuobjdump; CUOBJDUMP "-" leaves that out. Prints every kernel listed with its
# registers and exits with 1 when one spills, has no tensor-core instruction where it should, or is not there at all.
# Only objects with a kernel that should have one are taken apart: it takes longer than all the rest.
set -e
list=$1
cuobjdump=$2
shift 2
PATH=$(dirname "$cuobjdump"):$PATH # cuobjdump calls nvdisasm
tensor=$(awk '$1 == "tensor" { printf "%s%s", or, $2; or = "|" }' "$list")
for object in "$@"; do
    echo "@log"
    cat "$object.log"
    if [ "$cuobjdump" != - ] && grep -qE "Compiling entry function .*(${tensor:-none})" "$object.log"; then
        echo "@sass"
        "$cuobjdump" -sass "$object" | grep -E '^arch = |Function : |[HIQOW]MMA|UTC[A-Z]*MMA'
    fi
done | awk -v list="$list" -v sass="$cuobjdump" '
function listed(kind, mangled,   name) {
    # _Z10gemv_rows..., or with a namespace or an internal-linkage mark before it: the length goes with the name
    for (name in wanted)
        if (index(wanted[name], kind) && index(mangled, length(name) name)) { seen[name] = 1; return name }
    return ""
}
BEGIN {
    while ((getline line < list) > 0) {
        n = split(line, word, " ")
        if (n == 2 && line !~ /^#/) wanted[word[2]] = wanted[word[2]] " " word[1]
    }
}
$0 == "@log" { in_log = 1; next }
$0 == "@sass" { in_log = 0; next }
in_log && /Compiling entry function/ {
    split($0, quoted, "\047"); kernel = quoted[2]; arch = quoted[4]; next
}
in_log && /^ +[0-9]+ bytes stack frame/ {
    if (listed("hot", kernel) != "" && ($5 != 0 || $9 != 0)) {
        print "SPILLS " arch " " kernel ": " $5 " bytes stored, " $9 " loaded"; bad = 1
    }
    next
}
in_log && /Used [0-9]+ registers/ {
    name = listed("hot", kernel)
    if (name != "") { match($0, /Used [0-9]+/); r = substr($0, RSTART + 5, RLENGTH - 5) + 0
        if (r > most[name " " arch]) most[name " " arch] = r }
    next
}
!in_log && /^arch = / { arch = $3; next }
!in_log && /Function :/ {
    kernel = $3
    if (listed("tensor", kernel) != "") need[arch " " kernel] = 1
    next
}
!in_log { delete need[arch " " kernel] }
END {
    for (k in most) print "registers " k " " most[k] | "sort"
    close("sort")
    for (k in need) { print "NO TENSOR-CORE INSTRUCTION " k; bad = 1 }
    for (name in wanted) if (!seen[name]) { print "NOT FOUND " name; bad = 1 }
    exit bad
}'
