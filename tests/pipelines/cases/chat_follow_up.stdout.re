87\.3
^Sources$
ceria\.pdf, page [0-9]
(?s)^saved talk\.json.*Foam RC-4 was kept at 415 °C for 200 hours
^saved talk\.json
^1$
!never read
