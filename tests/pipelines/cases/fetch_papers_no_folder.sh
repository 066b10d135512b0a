exec $LODE fetch-papers "foam"
