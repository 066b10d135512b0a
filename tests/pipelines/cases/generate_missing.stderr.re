^error: no-such-model: no such file, and no model of this name$
^error: .*tiny_bert: an encoder: it reads but does not write$
^error: JSON schema: /: the keyword uniqueItems is not supported
^error: .*none.gbnf
^error: the prompt is empty$
^error: ids: number 3 is no token of this model's 272$
^error: tiny random llama: a prompt of 13 tokens does not fit a context of 3$
^error: m.json: message 1: it has no content$
