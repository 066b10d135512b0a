$LODE replay; echo $?
$LODE replay none.json; echo $?
echo '{"schema": "lode-run"' > cut.json; $LODE replay cut.json; echo $?
echo '{"schema": "lode-run", "version": 2, "settings": {}, "result": {"question": "x"}}' > new.json; $LODE replay new.json; echo $?
echo '{"schema": "lode-run", "version": 1, "settings": {}, "result": {"question": "x"}}' > far.json; $LODE replay far.json -L nowhere; echo $?
