\A3\n0\n\z
