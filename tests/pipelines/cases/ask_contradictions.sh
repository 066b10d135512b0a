$LODE index $DATA/answers/lime.pdf $DATA/answers/no_lime.pdf -L lib -q --no-embeddings
ask() { $LODE ask -L lib -q --no-embeddings --contradictions "$@"; echo "code $?"; }
ask "Does lime increase the growth of sedge?"
ask --json "Does lime increase the growth of sedge?" | sed '/^code/d' > answer.json
grep -A4 '"conflicts"' answer.json
$LODE verify answer.json
ask --where 'document = "lime.pdf"' "Does lime increase the growth of sedge?" 2> /dev/null
