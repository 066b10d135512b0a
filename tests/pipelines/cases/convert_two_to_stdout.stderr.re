give a folder for them with -o
