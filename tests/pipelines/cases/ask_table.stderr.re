^error: a table has from 1 to 20 columns
