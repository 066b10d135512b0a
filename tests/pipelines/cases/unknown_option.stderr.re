^error: .*--frob.*\(see: lode help convert\)$
