$LODE index $DATA/papers -L lib -q || exit 1
printf '%s\n' "What ammonia conversion did foam RC-4 reach?" /sources "/open 1" "/save talk.json" "And what about its stability?" /quit "never read" |
    $LODE chat -L lib --extractive -q || exit 1
grep -c '"schema": "lode-answer"' talk.json
