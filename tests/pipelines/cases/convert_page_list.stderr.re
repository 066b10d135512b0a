--pages: 4-2: not pages like
no page 5, the file has 4
