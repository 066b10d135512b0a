"status": "answered"
"quote": ".*87\.3
"page": 1
^1\n1\n8$
