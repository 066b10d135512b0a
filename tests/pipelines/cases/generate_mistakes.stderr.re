^error: which model\? A file, a folder or a name
^error: which prompt\? - reads it from stdin
^error: one prompt: put it in quotes
^error: one prompt: as an argument, --file, --tokens or --prompts
^error: --chat or --raw\?
^error: --logprobs is for --json
^error: --kv-type: choose from f32, f16, q8_0, q4_0
^error: --top-p: above 0, at most 1
^error: --json-schema or --grammar\?
^error: a count is negative
