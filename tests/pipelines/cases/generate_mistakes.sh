for wrong in "" "-" "m" "m p q" "m p --file f" "m p --chat --raw" "m p --system s --raw" "m p --logprobs 1" "m p --stream" \
  "m p --kv-type q2" "m p --top-p 0" "m p --temperature -1" "m p --json-schema a --grammar b" "m p --think --no-think" "m p -n -1"; do
  $LODE generate $wrong; echo $?
done
