: > fake.pdf; exec $LODE convert fake.pdf
