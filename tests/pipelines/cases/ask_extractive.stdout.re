^".*87\.3.*" \[[0-9]\]$
^Sources$
^\[[0-9]\] Okonkwo-Lindt and Harrow 2022, p\. [0-9]\. Ammonia Decomposition .* \(ceria\.pdf\)
^      ".*
