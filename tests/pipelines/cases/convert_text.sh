echo "just text" > fake.pdf; exec $LODE convert fake.pdf
