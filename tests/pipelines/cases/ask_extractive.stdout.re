^".*87\.3.*" \[[0-9]\]$
^Sources$
^\[[0-9]\] Ammonia Decomposition .* \(ceria\.pdf\), page [0-9]
^      ".*
