^error: .*/ceria\.pdf: .*(memory|died)
