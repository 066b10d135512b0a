"converted": 1,
"failed": 1,
"status": "ok"
"status": "failed"
"error": ".*not a readable document
"sha256": "[0-9a-f]{64}"
