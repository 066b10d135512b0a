a layout PDF needs a folder
