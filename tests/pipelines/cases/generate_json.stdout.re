"model": "tiny random llama"
"logprobs": \[
"token": 192,
"logprob": -0.1208
"token": 257,
"finish_reason": "length"
"prompt_tokens": [0-9]+,
"generated_tokens": 2,
