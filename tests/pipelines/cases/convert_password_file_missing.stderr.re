^error: --password-file: .*nowhere
