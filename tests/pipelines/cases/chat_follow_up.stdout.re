87\.3
^Sources$
ceria\.pdf, page [0-9]
^saved talk\.json
^1$
!never read
