^error: .*nowhere
