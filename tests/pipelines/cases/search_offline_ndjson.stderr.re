^warning: .*(offline|cache)
^insufficient