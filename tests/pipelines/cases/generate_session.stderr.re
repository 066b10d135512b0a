^error: tiny random llama: heads of 16 numbers cannot be kept as q8_0$
^error: tiny random llama: a context of 700 tokens needs .*more than the allowed 1\.0.+MiB$
^error: this model does not think: its vocabulary has no <think> and </think>$
