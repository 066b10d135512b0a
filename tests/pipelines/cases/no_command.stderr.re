^error: which command\? \(see: lode help\)$
