^warning: .*kiwix
^insufficient evidence: no sources
