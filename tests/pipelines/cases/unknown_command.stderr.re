^error: frobnicate: no such command
