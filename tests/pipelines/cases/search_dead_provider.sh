$LODE search --provider kiwix=http://127.0.0.1:1 --extractive --no-embeddings "Who wrote Emma?"
