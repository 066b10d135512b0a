^tiny random llama: llama F16, 0 M parameters, .* read per token$
^.*; [0-9]+ threads; keys and values as f32$
^ceilings: reading [0-9]+\.[0-9] GB/s \(4 KiB pages\), [0-9]+\.[0-9] GB/s \(2 MiB pages\)
^loaded in [0-9]+ ms, first token after [0-9]+ ms$
^prefill 40 +[0-9]+\.[0-9] +[0-9]+\.[0-9] 
^decode at 32 +[0-9]+\.[0-9] +[0-9]+\.[0-9] +[0-9.]+ GB/s, +[0-9]+ %$
^peak memory [0-9.]+.+B: [0-9.]+.+B before the model was opened, [0-9.]+.+B planned for it$
^weights mapped in pages of 2 MiB: [0-9.]+.+$
