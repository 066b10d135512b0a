^no sources: nothing was answered yet$
^no sources: the last question found no evidence$
^nothing saved: /save FILE, after an answer$
(?s)^Sources$.*^Sources$
^the last answer has no source 99$
^which source\? /open N, after an answer$
^saved talk\.md\nsaved talk\.html\n/sources 
^## What ammonia conversion did foam RC-4 reach\?\n\n".*87\.3 %.*" \[1\]
^- \[1\] Okonkwo-Lindt and Harrow 2022, p\. [0-9]: ".*87\.3 %
^nothing early\n1$
