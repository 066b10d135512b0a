\A1\n5\n1\n\z
