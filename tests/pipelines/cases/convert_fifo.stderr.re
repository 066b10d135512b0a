^error: .*/pipe\.pdf: not a regular file
