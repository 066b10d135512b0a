^error: .*where to\? give -o DIR
