$LODE search --offline --provider kiwix=http://127.0.0.1:1 --extractive --no-embeddings --dot "Who wrote Emma?"
