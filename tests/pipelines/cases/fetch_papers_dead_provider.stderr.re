^crossref: http://127.0.0.1:1/works: .*connect
^error: crossref: http://127.0.0.1:1/works: .*connect
