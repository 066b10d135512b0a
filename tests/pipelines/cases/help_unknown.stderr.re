^error: nonsense: no such command \(see: lode help\)$
