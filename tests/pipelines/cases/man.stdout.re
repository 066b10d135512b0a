^\.TH LODE 1 "" "lode [0-9.]+" "User Commands"$
^\.TH LODE\\-CONVERT 1
^\.SH OPTIONS$
^\.B \\-o, \\-\\-output \\fIDIR\\fR$
^\.SH EXIT STATUS$
