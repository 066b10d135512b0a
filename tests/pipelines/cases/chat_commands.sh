$LODE index $DATA/papers/ceria.pdf -L lib -q --no-embeddings || exit 1
printf '%s\n' /sources "/save early.md" "Who wrote the constitution of Iceland?" /sources "What ammonia conversion did foam RC-4 reach?" /sources "/open 99" "/open x" "/save talk.md" "/save talk.html" /what |
    $LODE chat -L lib --extractive --no-embeddings -q || exit 1
cat talk.md
[ ! -e early.md ] && echo "nothing early"
grep -c '<html' talk.html
