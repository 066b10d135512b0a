^error: which files or folders\?
