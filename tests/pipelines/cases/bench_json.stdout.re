"threads": 2
"weight_type": "F32"
"depth": 8
"bytes_per_token": 
"peak_bytes": [1-9]
"base_bytes": [1-9]
"planned_bytes": [1-9]
"kv_type": "f16"
