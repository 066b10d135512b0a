^error: empty: no documents in this folder
