mkdir in; cp $DATA/papers/*.pdf in; cp $DATA/pdf/cut_short.pdf in
say() { $LODE index in -L lib "$@" 2>&1 | grep -v '^note:' | sed "s,$PWD/,,;s/; the library has/;/;s/, [0-9]* passages/, N passages/;s/ ([0-9.]* s)//"; }
say
rm in/cut_short.pdf
say
cp $DATA/pdf/document.pdf in/lake.pdf; say
rm in/manual.pdf; say
say --prune
$LODE index in -L lib --json -q 2>/dev/null | grep -E '^  "(added|unchanged|failed)"'
