^error: which library\? Name its folder with -L
