^error: run or diff\?
^error: one SPEC or folder to run
^error: two runs to compare
^error: nothing-there: cannot be opened
^error: spec.json: limt: no option of this name
^error: spec.json: limit: no whole number
^error: --endpoint: what does the server call the model\?
!CRITICAL
