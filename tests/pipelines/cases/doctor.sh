$LODE doctor
