$LODE index $DATA/cases/cite_numbers.pdf $DATA/cases/cite_names.pdf $DATA/cases/cite_raised.pdf -L lib -q || exit 1
ask="$LODE ask -L lib -q --no-record --no-embeddings --extractive"
$ask "Does water in a kettle boil sooner under a lid?" | grep cites
$ask "Do small lakes freeze first?" | grep cites
$ask "Does moss grow on the north side of trees?" | grep cites
# what the quotes cite is in the JSON and the page, and no matter of the quotes themselves
$ask --json "Do small lakes freeze first?" > answer.json || exit 1
grep -A 8 '"call"' answer.json
$LODE verify -q answer.json && echo verified
$ask --html a.html "Do small lakes freeze first?" > /dev/null || exit 1
grep -o '<small>cites Moor.*jcw.2011.210</small>' a.html
