\A\{$
"schema": "lode-document"
