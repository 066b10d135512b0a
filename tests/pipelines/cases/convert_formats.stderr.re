a PDF needs a folder
