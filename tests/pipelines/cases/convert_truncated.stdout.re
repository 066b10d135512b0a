"schema": "lode-document"
