cp $DATA/papers/ceria.pdf paper.pdf
$LODE index paper.pdf -L lib -q || exit 1
$LODE ask -L lib -q --extractive "What Ru loading in wt % does foam RC-2 have?" || exit 1
$LODE ask -L lib -q --json --extractive --where 'type = table' "What Ru loading in wt % does foam RC-2 have?" > a.json || exit 1
tr -d ' \n' < a.json | grep -o '"cell":{"row":3,"column":2,"row_header":"RC-2","column_header":"Ru(wt%)"}' | head -1
$LODE verify a.json
$LODE ask -L lib -q --extractive --where 'type = table' --html a.html "What Ru loading in wt % does foam RC-2 have?" > /dev/null
grep -c 'row &quot;RC-2&quot;, column &quot;Ru (wt %)&quot;' a.html
grep -c '<i style="left:' a.html
$LODE ask -L lib -q --extractive --where 'type = formula' "How does the conversion follow from the mole fraction of ammonia?" | head -1
