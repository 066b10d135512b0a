$LODE doctor --json
