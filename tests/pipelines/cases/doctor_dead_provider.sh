LODE_PROVIDER=kiwix=http://127.0.0.1:1 exec $LODE doctor
