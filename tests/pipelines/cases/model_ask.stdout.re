^Sources$
87\.3
ceria\.pdf
"unchanged": 1
"vectors": [1-9]
"embedder": ".* sha256:[0-9a-f]{64}"
^by name: same$
^error: no-such-model: no such file, and no model of this name$
