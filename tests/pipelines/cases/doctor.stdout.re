^ok +cpu 
^ok +mupdf +1\.
^ok +sqlite +3.* with FTS5$
^missing +embedder .*lode model pull
