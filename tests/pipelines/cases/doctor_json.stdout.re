"ok": true
"name": "sqlite"
