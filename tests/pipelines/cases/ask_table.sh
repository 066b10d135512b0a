$LODE index $DATA/papers/ceria.pdf $DATA/papers/lake.pdf -L lib -q --no-embeddings
ask() { $LODE ask -L lib -q --no-embeddings --extractive --table "$@"; }
columns="conversion of RC-4, mean error"
ask "$columns"
ask "$columns" --csv | head -1
ask "$columns" --json | grep -cE '^ *"(text|quote)": ".*(87.3|mean error)'
# a cell stays empty where the paper speaks of the matter without a value for it, in a caption, or in one row of many
ask "depth of the lake, pore, ammonia conversion" | sed -n "3,4p"
ask " , " ; echo "code $?"
