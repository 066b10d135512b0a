# pages keep their numbers, those not asked for are nowhere, and nothing failed
$LODE convert $DATA/papers/ceria.pdf --pages 4,2-3,9- -o out -q --images none; echo $?
grep -o '"index": [0-9]*' out/ceria/ceria.json
grep -o '"page_idx": [0-9]*' out/ceria/ceria_content_list.json | sort -u
grep -o '"pages":[0-9]*,"failed_pages":[0-9]*' out/convert.jsonl
$LODE convert $DATA/papers/ceria.pdf --pages 2-4 -o out --images none -q --json | grep -c '"skipped": false'
$LODE convert $DATA/papers/ceria.pdf --pages 4-2 ; $LODE convert $DATA/papers/ceria.pdf --pages 5,7-; echo $?
