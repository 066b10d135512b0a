mkdir in; cp $DATA/pdf/glyphs.pdf in/a.pdf; cp $DATA/pdf/rules.pdf in/b.pdf; cp $DATA/pdf/tagged.pdf in/c.pdf
say() { $LODE convert in -o out "$@" 2>&1 | sed 's/ pages, .* s)/ pages)/'; }
say
say
cp $DATA/pdf/rotated.pdf in/a.pdf; say        # changed bytes
rm out/b/b.md; say                            # a lost output
say --format md                               # other options
say --force --format md
rm -r out/c; echo '{"cut' >> out/convert.jsonl; say --format md
