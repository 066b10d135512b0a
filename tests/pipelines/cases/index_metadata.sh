cp $DATA/papers/lake.pdf .
cat >refs.bib <<'END'
@string{jl = "Journal of Lakes"}
@article{freeze, title = {Whatever}, author = {M{\"u}ller, Eva and {Ice Group}}, year = 2019,
         journal = jl # { A}, file = {:old/lake.pdf:PDF}}
@book{nobody, title = {In no library}}
END
say() { $LODE index -L lib --no-embeddings "$@" 2>&1 | grep metadata; }
say lake.pdf --metadata refs.bib -v
say --metadata refs.bib
$LODE library export lib | head -1 | grep -o '"title":.*"venue":"[^"]*"'
printf '@article{x,\n  title {y}}\n' >bad.bib
$LODE index -L lib --metadata bad.bib; echo $?
