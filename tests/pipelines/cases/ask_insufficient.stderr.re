^insufficient evidence: no passage speaks
^missing: .*Iceland
^tried: searched [0-9]+ passages of 3 documents
^closest: .*, p\. [0-9]+ \(score
