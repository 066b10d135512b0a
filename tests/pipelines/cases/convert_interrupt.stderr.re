interrupted: run the same command again to go on$
