^error: .*tiny_bert: an encoder: it reads but does not write$
