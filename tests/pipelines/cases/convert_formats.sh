# every format at once, and each of text alone on stdout gives the same bytes
$LODE convert $DATA/papers/ceria.pdf -o out --format all --images none -q; echo $?
find out -type f | LC_ALL=C sort
for f in md json content_list middle html text bib csl; do
    $LODE convert $DATA/papers/ceria.pdf --format $f > stdout
    case $f in
        md | html | text | bib) suffix=.$f ;;
        json) suffix=.json ;;
        *) suffix=_$f.json ;;
    esac
    [ $f = text ] && suffix=.txt
    cmp stdout out/ceria/ceria$suffix
done
$LODE convert $DATA/papers/ceria.pdf --format layout; echo $?
# a source that is no PDF has no layout PDF: a warning, and a second run has nothing to do
printf '<?xml version="1.0"?><FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"><body><section><p>Once upon a time.</p></section></body></FictionBook>' > tale.fb2
$LODE convert tale.fb2 -o tale --layout-pdf -f md -q; echo $?
ls tale/tale; grep -o 'no layout PDF: [^"]*' tale/convert.jsonl
$LODE convert tale.fb2 -o tale --layout-pdf -f md 2>&1 | sed 's/.*\(. unchanged\).*/\1/'
