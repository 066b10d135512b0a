exec $LODE fetch-papers "foam" -p crossref=http://127.0.0.1:1 -o fetched --cache fetched-cache
