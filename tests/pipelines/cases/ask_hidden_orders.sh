# what no reader sees never reaches a writer: neither the library nor the prompt of the record has it
$LODE convert -q --hidden-text keep $DATA/answers/hidden_orders.pdf | grep -oE 'ALDER|BIRCH|ELDER|HAZEL'
$LODE index $DATA/answers/hidden_orders.pdf -L lib --no-embeddings -q
$LODE ask -L lib -q --no-embeddings -m $DATA/engine/llama_gguf --max-tokens 8 "How many tussocks of sedge did the survey count?" > /dev/null 2>&1
grep -c '"prompt": ".*412 tussocks' lib/runs/*.json
grep -rlE 'tussocks of sedge on' lib | sed 's/.*[.]//' | sort -u
grep -rlE 'ALDER|BIRCH|CEDAR|ELDER|HAZEL' lib || echo "nothing hidden"
