^error: a writer can only judge passages when it runs here: name another model with --reranker
^error: tiny_bert: makes embeddings, but has no head that judges passages
^error: --rerank model: which one\? Name it with --reranker
^error: --rerank: nobody: writer, model or none
^error: --reranked must not be negative, --diversity from 0 to 1
