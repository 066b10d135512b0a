\A1\n0\n36\n36\n\z
