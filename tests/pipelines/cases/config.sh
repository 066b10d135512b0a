# flags > variables > [convert] > [lode]
mkdir -p $XDG_CONFIG_HOME/lode
printf '[lode]\nformat=json\npage-breaks=yes\n[convert]\nformat=md\n' > $XDG_CONFIG_HOME/lode/config.ini
f=$DATA/papers/lake.pdf
$LODE convert $f | grep -c '<!-- page'
LODE_FORMAT=json $LODE convert $f | head -c 1; echo
LODE_FORMAT=json LODE_PAGE_BREAKS=0 $LODE convert $f --format md | grep -c '<!-- page'
LODE_DPI=lots $LODE convert $f; echo $?
printf '[convert]\njobs=few\n' > $XDG_CONFIG_HOME/lode/config.ini; $LODE convert $f; echo $?
printf 'not a key file' > $XDG_CONFIG_HOME/lode/config.ini; $LODE convert $f; echo $?
