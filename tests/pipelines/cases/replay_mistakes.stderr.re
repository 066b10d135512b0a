^error: one record
^error: none.json: cannot be opened
^error: cut.json: no record of a run: 
^error: new.json: a record of a newer lode
^error: nowhere
