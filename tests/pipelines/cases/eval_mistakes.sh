$LODE eval; echo $?
$LODE eval run; echo $?
$LODE eval diff a; echo $?
$LODE eval run nothing-there -q; echo $?
echo '{"dataset": "set", "limt": 3}' > spec.json; $LODE eval run spec.json; echo $?
echo '{"dataset": "set", "limit": "3"}' > spec.json; $LODE eval run spec.json; echo $?
$LODE eval run $DATA/eval --endpoint http://127.0.0.1:1/v1 -q; echo $?
