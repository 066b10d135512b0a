^error: .*/nothing\.pdf: .*(No such file|cannot be opened)
