^error: --kv-type: choose from f32, f16, q8_0, q4_0
