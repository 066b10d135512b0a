^error: LODE_DPI=lots: not a value for --dpi
^error: config\.ini: \[convert\] jobs = few: not a value for --jobs
^error: .*/lode/config\.ini: 
