what is the question\?
the question is empty
put it in quotes
