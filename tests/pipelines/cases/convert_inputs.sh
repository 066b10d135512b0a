# a folder of everything: kinds by content, archives by their documents, what is no document left out
mkdir in && cp $DATA/inputs/article.xml $DATA/inputs/paper.md $DATA/inputs/memo.txt $DATA/inputs/wrong_name.docx \
    $DATA/inputs/papers.zip $DATA/inputs/source.tar.gz $DATA/papers/micrograph.png in/
echo '# About' >in/README.md
$LODE convert in -o out -q || exit 1
ls out
head -n 1 out/source/source.md
grep -o '"input":"[^"]*zip[^"]*"' out/convert.jsonl | sed 's|:"/.*/in/|:"in/|'
$LODE index in/article.xml in/papers.zip in/source.tar.gz -L lib -q --no-embeddings || exit 1
$LODE ask -L lib --no-embeddings --extractive "How were samples made?" 2>/dev/null | grep -o 'section "1 Methods"' | head -n 1
