$LODE index $DATA/papers/ceria.pdf -L lib -q || exit 1
$LODE ask -L lib -q --extractive --html a.html "What ammonia conversion did <b>foam</b> RC-4 reach?" > /dev/null || exit 1
grep -c 'data:image/png;base64,iVBOR' a.html
grep -c '<i style="left:' a.html
grep -c '<a href="#e1">\[1\]' a.html
grep -c '<b>foam</b>' a.html
grep -Ec 'https?://|<script' a.html
true
