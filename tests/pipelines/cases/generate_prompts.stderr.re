^6 texts, 2 failed: [0-9]+ tokens read and [0-9]+ written in [0-9.]+ s \([0-9.]+/s\), [0-9]+ passes$
^error: no prompts$
^error: .*a context of 500 tokens for each of 4 sequences needs .*more than the allowed 1\.0.+MiB$
