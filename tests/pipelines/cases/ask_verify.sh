cp $DATA/papers/ceria.pdf paper.pdf
$LODE index paper.pdf -L lib -q || exit 1
$LODE ask -L lib -q --json --extractive "What ammonia conversion did foam RC-4 reach?" > answer.json || exit 1
$LODE verify answer.json || exit 1
# one character of a quote
sed 's/\("quote": ".*\)87\.3/\187.4/' answer.json > changed.json
$LODE verify changed.json; echo "code $?"
# one number of a claim
sed 's/\("text": ".*\)87\.3/\187.4/' answer.json > claimed.json
$LODE verify claimed.json; echo "code $?"
# a page
sed 's/"page": 1/"page": 2/' answer.json > moved.json
$LODE verify moved.json | tail -1; $LODE verify moved.json > /dev/null; echo "code $?"
# one byte of the file
cp paper.pdf kept.pdf; printf 'x' >> paper.pdf
$LODE verify answer.json | grep -c "has changed"; $LODE verify answer.json > /dev/null; echo "code $?"
# no file
rm paper.pdf
$LODE verify answer.json > /dev/null; echo "code $?"
# no answer
echo '{}' > empty.json
$LODE verify empty.json; echo "code $?"
