error: bad\.bib: line 2, column 9: expected = behind "title"
